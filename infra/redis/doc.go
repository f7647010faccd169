// Package redis holds the helpers around go-redis that live state needs: an embedded server, a dial
// function, the check that the server never evicts, and the fenced commit on which exactly-once
// rests. The clients are the real ones; nothing here hides them.
//
// # The fence
//
// Every partition of the events topic has one fence: a string that says which log the state came
// from and up to which offset (see [Fence]). An owner of a partition
//
//  1. reads the fence ([Store.ReadFence]), or opens one ([Committer.Open]) where none exists,
//  2. loads the blobs it lacks ([Store.LoadBlobs]) and computes new, absolute ones,
//  3. sends them with the fence it expects and the fence that follows ([Committer.Commit]).
//
// The commit is one transaction on a connection that watches the fence ([Committer]). It was looked at after watching began: where it
// is another one than expected, byte by byte, nothing is sent and the stored fence is returned; where it changes before Redis
// executes the transaction, Redis executes nothing of it. Otherwise every blob is written and the fence moves with them.
// One round trip executes a transaction, watches the fence again and reads it for the next one
// (docs/decisions/0015 says why this is no script). So state and position can never part, whoever crashes or stalls.
// Nothing is ever incremented: Redis does not roll back what fails half way, and absolute values make a repetition
// harmless.
//
// # Outcomes of a commit
//
//   - Result.OK: the blobs and the fence are stored.
//   - Result not OK: somebody moved the fence, or Redis lost writes. The answer is the same for both: drop
//     the cache, go to Result.Stored, recompute from there.
//   - an error: unknown whether the transaction was executed; read the fence again before anything else. The connection is
//     given up, and nothing is repeated on another one, which would not watch.
//
// # What is left behind
//
// [Store.Drop] deletes a fence, so that the partition's owner opens a new incarnation. Keys of
// incarnations that no fence names are garbage from then on; [Store.Sweep] deletes them. An incarnation
// is never named again, and its keys are written by transactions that find it named, so that nobody can add
// to what is swept.
//
// # Keys
//
// All keys of a partition carry its hash tag, so that a cluster keeps them in one slot and one transaction
// and one MGET reach them all; the tags spread the partitions evenly over the slots. [Keys] builds them.
package redis
