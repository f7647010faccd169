// Package materialize turns the raw archive into what a generation and the warehouse hold: tile views
// of users, items and the whole (schemas/tile), training rows (model.HistoryEntry) and daily
// aggregates (schemas/tables).
//
// # From files to rows
//
// Discover lists what a cut consists of, imports and epochs, and proves that the archive is contiguous up
// to the cut. Compute reads those files in one order: imported days ascending, within a day by file
// hash, then epochs ascending, partitions ascending, offsets ascending. Every file is verified before it
// is decoded. A file that is missing, damaged or not the one its index describes is an error that names
// it, before anything is written.
//
// # From rows to answers
//
// One goroutine decodes and gives users and items numbers. Chunks of rows then pass two phases: first
// each worker takes the rows of its users (number modulo workers), applies the duplicate rule and updates their
// state; after all did, each worker takes the rows of its items. So every state sees its rows in the order
// above, nothing is merged, and the bytes do not depend on the number of workers.
//
// # Warehouse
//
// Replace rebuilds the partitions whose inputs changed, which a small object per date remembers. It also
// remembers the mark up to which a partition was built, and a partition never goes back to an earlier one:
// several marks may share a date. Two nights that run at the same instant may still cross between look and
// write. The later mark's night, run again, then finds its partition stale by record or by number of rows and
// rebuilds it; only where both are as they should be by accident does it take --force.
package materialize
