// Package online joins batch and live at the moment of a request: it holds the current generation and
// the catalogue in memory, reads a user's live state from Redis, and answers with a receipt.
//
// # What is where
//
//	generations  follows the pointer in the bucket; opens, verifies and indexes a generation, then swaps it in
//	catalog      follows the items and users topics: what is known of an item or a user now
//	live         reads fences and blobs from Redis, and judges what they are worth for a generation
//	trending     the trending lists, refreshed in the background
//	Service      the questions; nothing else is exported but it and the shapes of its answers
//
// # A request
//
// It takes one immutable Generation (with its recommender) by an atomic load and keeps it to the end,
// so a swap in between changes nothing for it. Then one MGET reads the fence and the blob of the user.
// The answer is batch view ⊕ live buckets of epochs ≥ the generation's cut (tile.Joined); it is exact
// when the live state
//
//   - holds every epoch from the cut on (base ≤ cut),
//   - has caught up with where the topic ended when it was opened (next ≥ target), and
//   - is of the topic that the generation was made from.
//
// Anything else is said in the receipt: degraded, with a reason. It is never an error and never waits
// longer than LiveTimeout; after some failures Redis is left alone until the background loop, which
// refreshes the trending lists every second, finds it back.
//
// # Outages
//
// Bucket away: the current generation stays; a generation that does not verify is not swapped in, the
// readiness check says why, and it is tried again later and later, at most once a minute. Kafka away:
// the catalogue stays as it was; at a start without Kafka it is the generation's own snapshot.
// Redis away: batch only. No generation yet: trending and the catalogue.
//
// # Limits
//
// Live interactions are the user's last_n feature, which keeps the latest 100 events of each epoch by
// default: what was seen before those, but in the same epoch, may count as unseen until the next
// generation. The receipt of recommendations says degraded when an epoch's list is full. Features are
// exact all the same.
//
// Windows of the batch view are whole for reads at or after the generation's AsOf. When this host's
// clock is more than 5 s before that, answers that rest on views say degraded.
package online
