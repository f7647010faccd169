// Package deadletter is the dead-letter topic, events.dlq: what its records look like, how they are
// read, and how they are replayed.
//
// # Letters
//
// A dead letter keeps the payload as it was received. What is known about it is in headers:
//
//	anabranch-reason     why it is invalid (a Reason of schemas/event)
//	anabranch-field      the field that is wrong, where it is one that events have
//	anabranch-detail     a sentence that names the field, quotes its value and says what is accepted
//	anabranch-source     "log" (found in the events topic) or "http" (refused at the front door)
//	anabranch-topic-id   position of a record found in the log; these three are
//	anabranch-partition  its identity: the same position may occur more than
//	anabranch-offset     once and is one dead letter
//	anabranch-key        the record's key
//	content-type         of the payload, where the record had one
//	anabranch-truncated  original size in bytes, where the payload had to be cut
//
// A record that was refused at the front door never had a position in the events topic. It is
// identified by its own position in the dead-letter topic.
//
// Key, payload and detail may hold what a user did. Everything else may be shown to anybody.
//
// # Replay
//
// A replay puts the payload of a letter, perhaps repaired, into the events topic again: with the key
// and in the partition where its user belongs, with its event_id unchanged, and with the header
//
//	anabranch-supersedes   <topic id>/<partition>/<offset> of the letter
//
// It takes a new position, and with it a new log time; features are about the event time, so they
// count it where it happened. It supersedes the old position for good: a note in the dead-letter topic
// says so, and no later replay takes that letter again. A note has the position of the letter in the
// same headers, no payload, and
//
//	anabranch-replayed-as  <topic id>/<partition>/<offset> of the replayed record
//
// Replayed record and note are written in one Kafka transaction, so that there are never one without
// the other. All replays use one transactional id. The protocol:
//
//  1. Take the transactional id. Kafka then fences every replay that runs elsewhere or died, and
//     answers only when its last transaction has ended, either way.
//  2. Read the notes up to the end of the topic. By 1 none is still on its way.
//  3. For every letter that is wanted and has no note: judge it as every engine will. What is still
//     invalid stays where it is. Write the others and their notes, a few hundred a transaction.
//
// So a replay may die anywhere, and two may run at once: whatever was committed is noted, what was not
// is invisible to every reader (all of them read committed records only), and who was fenced cannot
// commit any more. The event_id is kept, so that the duplicate rule also covers an event that its
// producer has sent again meanwhile.
//
// Kafka answers a commit before every reader can see it: a list that follows at once may still show a
// letter as open. The next replay is not deceived, because of 1.
//
// While a transaction is open, readers of the partitions concerned wait for its end. Kafka aborts what
// a dead replay left open after TransactionTimeout, or when the next replay starts.
//
// # How long it is remembered
//
// Topic retention forgets notes after letters, because they come later, in the same partition. A letter
// may however be buried again later than its note, when live state is rebuilt from the floor. Every
// replay therefore repeats the notes of such letters. What remains: a letter that was replayed and later
// buried again by a rebuild could be replayed a second time once retention has taken its note, if in all
// that time (7 days by Kafka's default) no other replay ran. It keeps its event_id even then.
package deadletter
