// Package artifact writes and opens the files of a generation: what the nightly job computes and
// serving answers from. docs/formats/generation.md describes their bytes.
//
// # Files
//
// Views are sorted tables (infra/sorted): one row for each user, item, and the global entity, in byte order of
// the ids. Vectors are Arrow IPC files with one record batch and no nulls, sorted by the bytes of the
// column id, numbers from a multiple of 64 bytes on. Any notebook reads those with pyarrow or polars. The
// catalogue of features and the metrics are JSON. The same rows always encode to the same bytes.
//
// Besides size and checksum the manifest lists where each column of an Arrow file lies (model.Column).
// Reading a verified file is therefore slicing: nothing is copied, and no metadata of the file is
// decoded, so a damaged file is refused by its checksum and cannot crash a decoder.
//
// # Writing
//
// A view of any size is written into a local folder by a ViewWriter, and put from there by StoreLocal; memory
// is bounded. An Encoded file is small enough to be held: UserVectors, ItemVectors, Features,
// Plain, and the views of small worlds (UserView, ItemView, GlobalView, RecentView). Store puts it. Neither
// ever replaces an object: if there is one already, its bytes have to be the same.
//
// # Reading
//
// Open verifies a whole generation and maps its views: straight from the bucket where that is a folder, else from
// a download, which OpenCached keeps for the next start. LoadView and Load read a single file, as the
// training step does before a manifest exists.
package artifact
