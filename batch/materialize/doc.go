// Package materialize turns the raw archive into what a generation and the warehouse hold: tile views
// of users, items and the whole (schemas/tile), training rows (model.HistoryEntry) and daily
// aggregates (schemas/tables).
//
// # From files to rows
//
// Discover lists what a cut consists of, imports and epochs, and proves that the archive is contiguous up
// to the cut. Compute reads those files in one order, the log order: imported days ascending, within a
// day by file hash, then epochs ascending, partitions ascending, offsets ascending. Only the columns that
// the definitions need are decoded. Every file is verified before it is decoded. A file that is
// missing, damaged or not the one its index describes is an error that names it, before anything is stored.
//
// # From rows to answers
//
// Compute does three things, each on all threads:
//
//   - read: files become columns; event ids become hashes, items, types and categories numbers of
//     dictionaries. Rows are put aside (package spill) by partitions of the hash of the user, and once
//     more by partitions of that of the item.
//   - users: a partition is grouped by user, and every user's rows, in log order, pass the duplicate rule and the
//     series of the plan (kernel). What comes out, view and training row, goes to a sorted run. Duplicates
//     are noted in a bitmap by row.
//   - items: the same by item, without the duplicates. Meanwhile the runs of users are merged into their
//     table, and all rows that count are folded into the view of the whole.
//
// An entity's state only exists while its rows are at hand, so that memory depends on neither users nor items.
// Where the rows of a partition do not fit, because one user or item has so many, it is taken in chunks and
// states wait encoded between them.
//
// # The same bytes
//
// Every state is a left fold over its rows in log order; nothing that was computed apart is merged.
// Therefore the bytes depend on the rows only: not on threads, memory, partitions or chunks, nor on
// whether a night is computed from the start or continued.
//
// # Continuing
//
// With Options.Previous only the epochs since an earlier generation's cut are read. Entities that occur in
// them continue from their stored view, of which only the tiles that new events are of, and later ones, are decoded
// (tile.Continued); all others are copied, but for the tiles that have to go (tile.Codec.AppendPruned). A view is
// pruned as of its horizon: the label of the latest epoch in which an event of its member counted, or the last day that was
// its turn (tile.Turn.Horizon), a sixteenth of the members a day, if that is later. So who is touched has short views, who is not costs little,
// and the horizon is the same whether the view is copied, continued or made from the start.
// Of a training row the entries that events touch are made; the tables' merge puts them among the others. Entries name
// items by their rank, which shifts when items are added: copying renumbers them.
// Continues is the rule for when this is possible. A warehouse partition that needs epochs from before that cut is
// aggregated from the files of its date alone, and of the epoch before each of them.
//
// # Memory
//
// A process that runs one Compute calls BoundHeap before it.
// Options.Memory bounds rows at hand and rows put aside in memory; more go to temporary files without a
// name. Beyond it there are the texts of all item ids (each its bytes and about 100 more), a bit for each
// row, the compressed file that each thread reads and the row group that it decodes, and for the warehouse the distinct users of
// each (date, item) of an item whose rows do not fit at once. A row group takes about 400 bytes a row: 50 MB as our archive
// writes them. Files with row groups of more than 2^21 rows are refused (rawparquet.Scanner).
//
// # Warehouse
//
// Replace rebuilds the partitions whose inputs changed, which a small object per date remembers. It also
// remembers the mark up to which a partition was built, and a partition never goes back to an earlier one:
// several marks may share a date. Two nights that run at the same instant may still cross between look and
// write. The later mark's night, run again, then finds its partition stale by record or by number of rows and
// rebuilds it; only where both are as they should be by accident does it take --force.
package materialize
