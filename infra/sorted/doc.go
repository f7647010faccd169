// Package sorted writes and reads immutable tables of keys and opaque values: the views of a
// generation, which the nightly job computes once and serving reads one row at a time.
//
// # Tables
//
// A table is one file. NewWriter takes rows whose keys rise strictly in byte order and writes them in
// segments of about 1 MiB, so that a table of any size needs only a few MiB of memory. Equal rows give
// equal bytes: nothing depends on a clock, a map or the machine.
//
// Open maps a table into memory. Get finds a row by three steps:
//
//   - a binary search among the first keys of the segments, which Open has verified and keeps;
//   - one line of 64 bytes of the segment's directory, a hash table of 16-bit fingerprints and row
//     positions. It is both the filter that answers for absent keys and the index that finds present
//     ones;
//   - the row itself.
//
// Values are not copied: they lie in the mapped file, and are valid until Close. Get is safe for many
// goroutines and allocates nothing. Iter reads all rows in key order, from the start or from a key.
//
// # Damage
//
// Every row and every line of a directory carries a CRC-32C that also covers its place in the file,
// and each is checked whenever it is read. Whoever opens a table has normally compared the whole file's SHA-256
// already; the checksums are for what happens to the disk later. A failed check is an ErrDamaged that
// names the file, and so is a page that the disk no longer returns or that was cut off (on Unix such
// an access is a signal, which Get and Iter turn into an error). There is never a wrong value, a present
// key reported as absent, or a panic.
//
// # Runs
//
// A worker that runs out of memory spills its sorted rows to a run (NewRunWriter); Merge reads
// any number of runs, and tables, as one sorted sequence. Runs are temporary: a simple stream of
// checksummed frames, without an index.
//
// The bytes of both formats are described in docs/formats/sorted.md.
package sorted
