// Package compare measures Pebble's sstable by the benchmarks of package sorted, with the same rows:
//
//	cd infra/sorted && go test -run '^$' -bench . . && cd compare && go test -run '^$' -bench . .
//
// It is kept so that docs/decisions/0008-own-sorted-tables.md can be measured again.
package compare
