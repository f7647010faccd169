// Package recommend turns a model, a catalogue and what a user did into a ranked list. It is pure: no I/O, no clock, no
// goroutine; the time is part of the request. A [Recommender] is immutable and safe for concurrent use.
//
// # A request
//
// The user's vector comes first. Without live events it is the trained vector; with them it is solved anew, at the
// moment of the request, from the history of the batch view joined with the live events ([rowsolve] does for one user
// exactly what training does for all). Recent interactions weigh more, see [Tuning]; the weight depends on an interaction's
// age and not on which side of the cut it lies, so a nightly handover moves no answer by itself.
//
// Every item with a vector is scored by inner product and the best eligible ones are kept. If they are too few (a new
// user, new items) the list is filled with what is trending, then by popularity, which ends with the whole catalogue:
// the answer holds min(n, eligible) items, never twice the same.
//
// # Eligible
//
// An item is eligible unless the catalogue says that it is unavailable, the category filter does not name its category,
// or seen items are excluded and the user has interacted with it, by id, in history or live. Items that only the model
// knows count as available and have no category. Ids that neither model nor catalogue know are not recommended, unless
// there is no catalogue at all: then trending ids are taken as they come.
//
// # Order
//
// Sources follow each other: mf, trending, popular. Within one, higher scores first; ties by position in the model, then
// catalogue-only items by id.
package recommend
