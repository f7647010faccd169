// Package archive turns the events topic into the raw archive (DESIGN §5): immutable Parquet files
// in the bucket that hold every record of the log, the rejected ones included, and from which batch
// computes. It also imports history that never went through Kafka.
//
// # The chain
//
// Each partition is a chain of objects, each of which covers the offsets [First, End) of one epoch;
// the next begins at End. Chains are cut by size, by age, and always at a mark. The name of an
// object is a function of where it begins, so two archivers that work on one partition at the same
// time write the same chain: the first PUT wins and the other adopts its end.
//
// An object counts once the index of its epoch lists it with its checksum. The index moves by
// compare-and-swap. After a crash the objects that were put but not listed are verified and listed.
//
// # How it is built
//
//	step.go      pure: records in, files to write out
//	file.go      one file: its rows as columns, compressed as they come
//	write.go     a file into the bucket and the index, idempotent
//	adopt.go     objects that a crash left out of the index
//	tails.go     where the archive of every partition ends
//	archiver.go  the loop around them: poll, step, write
//	import.go, importer.go   history from a file
//
// # Where it stops
//
// Nothing is skipped in silence. The archiver halts (ErrHalted) when Kafka no longer holds what comes
// next, when the topic was recreated or has other partitions, and when bucket and index contradict
// each other. What a restart can cure is tried again for Config.Patience and then returned as
// api.Unavailable.
package archive
