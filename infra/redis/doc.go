// Package redis holds the helpers around go-redis that live state needs: an embedded server, a dial
// function, the check that the server never evicts, and the fenced commit on which exactly-once
// rests. The clients are the real ones; nothing here hides them.
//
// # The fence
//
// Every partition of the events topic has one fence: a string that says which log the state came
// from and up to which offset (see [Fence]). An owner of a partition
//
//  1. reads the fence ([Store.ReadFence]), or opens one ([Store.Open]) where none exists,
//  2. loads the blobs it lacks ([Store.LoadBlobs]) and computes new, absolute ones,
//  3. sends them with the fence it expects and the fence that follows ([Store.Commit]).
//
// The commit is one script. It compares the stored fence with the expected one, byte by byte; where
// they are equal it writes every blob and moves the fence last, otherwise it changes nothing and
// returns the stored fence. So state and position can never part, whoever crashes or stalls.
// Nothing is ever incremented inside the script: Redis does not roll back a script that fails half
// way, and absolute values make a repetition harmless.
//
// # Outcomes of a commit
//
//   - Result.OK: the blobs and the fence are stored.
//   - Result not OK: somebody moved the fence, or Redis lost writes, or this very commit was
//     executed and its answer lost (go-redis repeats a command after a network error). The answer is
//     the same for all of them: drop the cache, go to Result.Stored, recompute from there.
//   - an error: unknown whether the script ran; read the fence again before anything else.
//
// # What is left behind
//
// [Store.Drop] deletes a fence, so that the partition's owner opens a new incarnation. Keys of
// incarnations that no fence names are garbage from then on; [Store.Sweep] deletes them. An incarnation
// is never named again, and its keys are written by scripts that find it named, so that nobody can add
// to what is swept.
//
// # Keys
//
// All keys of a partition carry its hash tag, so that a cluster keeps them in one slot and one script
// and one MGET reach them all; the tags spread the partitions evenly over the slots. [Keys] builds them.
package redis
