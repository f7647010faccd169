// Package kafka holds the helpers around franz-go that the layers share: an embedded broker, client
// options, topics, marks, and a follower of compacted topics. Clients are the real ones
// ([kgo.Client]); nothing here hides them.
//
// # Topics
//
//	events      key = user id, N partitions    interactions, and marks
//	items       key = item id, compacted, 1    catalog records; null value = removed
//	users       key = user id, compacted, 1    profile records; null value = removed
//	events.dlq  1                              dead letters
//
// [EnsureTopics] creates them explicitly and refuses those that exist in another shape. Topics are
// never created by accident: a client from [Dial] does not ask for auto-creation. A client that has
// used a topic never adopts its recreation under the same name: reading and writing then fail with
// UNKNOWN_TOPIC_ID until a new client is dialed.
//
// # The embedded broker
//
// [StartEmbedded] runs kfake in this process: one broker, on loopback, with its log in a directory
// that it locks. Measured by the tests of this package:
//
//   - kill -9 loses no acknowledged record and changes no topic id; a torn tail of a segment is cut
//     off at the last whole batch.
//   - Committed group offsets and producer ids survive kill -9. The sequence numbers of idempotent
//     producers survive only Close: a producer that outlives a killed broker may append the batch it
//     retries a second time. Readers must tolerate repeated records, as with any producer restart.
//   - Compaction and retention are switched off: kfake's compaction deletes segments before it
//     writes their successors, so that a kill in between would lose acknowledged records. The log of
//     the embedded broker grows until its directory is removed.
//   - It has no replication, no quotas and no authentication, and keeps the producer's timestamp
//     where a topic asks for LogAppendTime.
package kafka
