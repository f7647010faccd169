// Package sqltest asks independent engines whether schemas/sql says what a catalogue means. Its tests
// are integration tests: they build the oracles of package oracle.
//
//   - GoogleSQL's own analyzer takes the texts of the built-in catalogues and of random ones.
//   - The BigQuery emulator and DuckDB run random catalogues over random logs; what they answer is what
//     schemas/tile/oracle says, feature by feature.
//
// What fails prints its seed; ANABRANCH_SEED=17 plays that one again, ANABRANCH_DEFINITIONS=5000 tries
// more.
package sqltest
