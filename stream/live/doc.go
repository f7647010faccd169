// Package live is the speed layer: it turns the events topic into live state in Redis, exactly once.
//
// It has two halves. [Engine] is a pure step: a batch of records of one partition and the states
// that they touch go in, new absolute states and the next fence come out. [Runner] drives it: it
// polls Kafka, loads what the step needs, and hands the result to one fenced transaction
// (infra/redis.Committer). Nothing else writes live state.
//
// # Where a partition stands
//
// The fence in Redis is the only position. The runner starts at the fence, never at the group's
// committed offset (which it writes for lag displays alone), and goes back to the fence whenever it
// is not certain: after an error, after a commit that found another fence (somebody else moved it,
// or Redis lost writes), and every few seconds to notice a rollback while idle. Going back is one
// procedure (recover.go): drop the cache, read the fence, or open one at the floor, and seek. Since
// states are absolute values that carry their own next offset, doing work twice is harmless.
//
// A partition owner is in one of three phases:
//
//	lost      it does not know where it stands; fetching is paused; recover is due
//	running   fence and cache agree with Redis as of the last commit
//	halted    a person has to act (another topic id, records gone from Kafka); it says what to do
//	          and looks again every few seconds
//
// # The loop
//
// One goroutine, the loop, polls whatever Kafka has delivered and puts it into the inbox of its
// partition (inbox.go); every partition has a worker of its own (worker.go), so that a slow one holds
// up nobody and the waiting of some for Redis is the computing of others. A worker commits a batch
// when it is full, or when the last one began Config.Linger ago: so batches grow with the load, and
// an idle system answers at once. When too much waits, the loop stops polling; a partition that
// holds an eighth of that alone is not fetched for a while.
//
// Only the loop moves the client: a worker that has found its fence asks for it. A partition is
// given away when its worker has ended the step that it is in, and told to end, workers end theirs
// (within drainTimeout); so an owner never loses its partition in the middle of a step. Should two
// owners meet nevertheless, the fence lets exactly one of them commit a position and sends the other
// one back.
//
// # States
//
// States are kept encoded, in the cache as in Redis, and are not decoded to take events: events change the
// tiles that they are of on their way from the old encoding to the new one (tile.ContinuedState), the rest is copied. So
// a state takes as little memory here as it does there; the cache keeps them all in a few large pieces of memory (cache.go),
// so that the collector has next to nothing to look at.
//
// # Trimming
//
// When every retained generation has taken over an epoch, the floor rises above it and the fence's base follows. States
// that are written lose their older buckets by the way; those of idle users and items are found through an index of what
// each epoch touched, which the commits keep, and are rewritten or deleted by the partition's owner in fenced slices between
// its batches (trim.go). Serving with an older generation sees the base and says degraded.
//
// # Invariants
//
//   - Dead letters are acknowledged by Kafka before the fence moves past their records; a crash in
//     between repeats them, and their position identifies them.
//   - The cache holds what a commit has stored, and nothing that one has failed to. After any doubt
//     it is dropped.
//   - Tiles that no window can reach any more are pruned by the runner's clock or the newest valid
//     record of the batch, whichever is earlier, with a margin: neither a clock that runs ahead nor a
//     producer's broken one may erase anything alone.
package live
