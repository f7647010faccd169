// Package hashagg groups columns of rows by a few keys and aggregates them: GROUP BY with count, sum,
// min and max, in bounded memory. It does no I/O; where memory runs out it writes through a function that
// its caller gives it.
//
//	tables := one New(spec, options) for each goroutine
//	tables[i].Add(batch)                      // any number of times, each table by one goroutine
//	err := Merge(ctx, tables, func(g *Groups) error { … })
//
// # How it works
//
// A Table is an open-addressing hash table of 8-byte slots {upper half of the hash, row number} over
// rows of 8-byte words {keys, aggregates}. Slots are ordered by the hash, so that a prefix of it is a radix
// partition and the table grows by one sequential pass. Texts become numbers first (interner), once an entry
// where the column is a dictionary. Rows are handled in vectors of 512: a pass hashes, a pass loads the slots and a
// pass their rows, so that the misses of a vector overlap; then each aggregate has a loop of its own.
//
// # Memory
//
// A table that exceeds its budget writes its groups to a run, sorted by radix partition, and starts
// anew. Merge then takes one partition after the other from all runs. So a table holds its budget and a batch, and Merge
// all groups where nothing was written, else those of one partition of 64 for each thread.
//
// # Exactness
//
// Integer aggregates are exact (sums wrap around at 64 bits). Sums of floats depend on the order of addition: at most
// n·2⁻⁵³·Σ|x| off for a group of n rows (Higham 1993), however rows were dealt to tables. Results come in no order.
package hashagg
