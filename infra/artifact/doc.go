// Package artifact writes and opens the files of a generation: what the nightly job computes and
// serving answers from.
//
// # Files
//
// Views and vectors are Arrow IPC files with one record batch and no nulls, sorted by the bytes of
// the column id. Vectors begin at a multiple of 64 bytes from the start of the file, other buffers at
// a multiple of 8. Any notebook reads them with pyarrow or polars. The same rows always encode to the
// same bytes.
//
// Besides size and checksum the manifest lists where each column's buffers lie (model.Column).
// Reading a verified file is therefore slicing: nothing is copied, and no metadata of the file is
// decoded, so a damaged file is refused by its checksum and cannot crash a decoder.
//
// # Writing
//
// An Encoded file is made by UserView, ItemView, GlobalView, UserVectors or ItemVectors and put by
// Store, which never replaces an object: if there is one already, its bytes have to be the same.
//
// # Reading
//
// Open reads and verifies a whole generation, as serving does; Load a single file, as the training step
// does before a manifest exists.
package artifact
