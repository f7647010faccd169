// Package faults is the fault matrix: what the stream layer promises, on a real Kafka, a real Redis and a real S3
// gateway, while each of them, the processes between them and the producers' data go wrong in every way that issue
// writers could think of.
//
//	make faults                          # one seed of every row
//	make faults SEEDS=100 SEED=1         # resumable: what is green by this build is not run again
//	make faults ROWS=2,5 SEED=17         # some rows, one seed
//	make faults TABLE=docs/faults.md     # writes the table that docs/ publishes
//
// # A row
//
// A row (row*_test.go) breaks something while a common workload runs: producers with events that the test knows,
// `live` and `archive` as processes of their own that can be killed, stopped and starved. It has a topic, a
// consumer group, a namespace in Redis and a prefix in the bucket of its own; rows that break a Redis start one of
// their own. Rows run one after the other on the suite's own Kafka, so a row may break that too.
//
// # What must hold at the end of every row
//
// The truth is the log as Kafka holds it, with what the producer knows of every record (never what the product
// decodes). Then, after everything has recovered:
//
//   - every acknowledged record is in the log where its acknowledgement says;
//   - live state: every feature of every user, item and of the whole, read from the blobs in Redis, is the answer
//     of the naive oracle (schemas/tile/oracle) over the valid events that are no duplicates;
//   - archive: the objects that the indexes list form a chain without a gap, verify, and have one row a record,
//     valid ones with their event, invalid ones with a reason;
//   - valid records + dead letters (by position) = records of the log;
//   - what runs ends in order, within 25 s of SIGTERM.
//
// Every run begins by damaging each of these on purpose and expects to be told (notices_test.go).
//
// # Crash points
//
// Processes die by SIGKILL at named points (crash_test.go), which hooks of the clients and a decorator of the bucket
// make: the product itself has none of it. A process is this test binary, which runs the product's packages, or
// jobs.Main where the whole command matters.
//
// # Results
//
// A row is green, red (with the reason), or not built. Results go to a file of JSON lines, by seed and by the build's
// checksum; a run skips what this build has shown already. The shorter run within `make integration` is one seed in
// which outages are seconds instead of a minute.
package faults
