// Package eval measures how well a recommender ranks what users did next.
//
// # Protocol
//
// [Holdout] picks some users by a hash of their id and takes each one's last interaction out of the training data.
// After training, [Evaluate] asks a [Scorer] to score every item for each of those users, removes the items that the
// user's remaining history holds, ranks all the rest (no sampled negatives: Krichene and Rendle 2020, "On sampled
// metrics for item recommendation") and looks where the held-out item stands. [FoldInScorer] scores as serving does, from
// the remaining history; [Popularity] is the baseline that a model has to beat. Vectors to be published are solved on the
// complete history afterwards.
//
// The package is pure: no I/O, no clock, no randomness, no goroutine. Equal scores rank by item index.
package eval

// Interaction is one event of the training data: rows of dictionaries, not ids.
type Interaction struct {
	User, Item int32
	Weight     float32
	Time       int64 // event time, Unix milliseconds
	Seq        int64 // position in the log; orders events of the same time
}
