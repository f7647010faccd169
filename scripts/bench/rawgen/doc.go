// Package rawgen writes raw archives of any size for benchmarks: the objects, indexes and marks that
// `anabranch archive` leaves in a bucket, with one epoch a day, made up from a seed.
//
//	archive, err := rawgen.Open(ctx, dir, rawgen.Sized(50_000_000), logger)
//
// generates the archive below dir, or finds the one of equal parameters that is there already: the
// folder's name spells the parameters. It states how much disk it will take before it starts. Equal
// parameters give equal bytes.
//
// # What the rows are like
//
// Users and items are drawn by popularity: the r-th has the weight r^-0.8. A user's events lie in the
// user's partition. Nine events of a hundred are cart, three purchase, the rest view; purchases have
// a value of one to three times the item's price; every item has a price, nine of ten a category.
// Log time rises through the day; an event happened up to two seconds before it, one in a hundred
// up to three days before. Some records are repeated within the partition's next 64 (so within the user's
// next 128, where the duplicate rule sees them), and one in ten thousand was rejected.
package rawgen
