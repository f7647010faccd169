// Package sim plays histories of the whole system on a virtual clock and compares every answer with the
// naive oracle (schemas/tile/oracle). docs/simulation.md is its manual.
//
// # What is real
//
// The owners of the stream layer (live.Driven) with their caches and recoveries, the fenced commits of
// infra/redis and the client that sends it, the archiver (archive.Feeder) with its Parquet files and
// indexes, imports, nights from the start and from an earlier generation (batch/materialize), the
// generation's files (infra/artifact), the pointer's moves (batch/publish), reads as of an instant
// (batch/asof), and the servers (serving/online) with their receipts.
//
// # What is simulated
//
//	clock    world.now; hosts' clocks and log times are off by what a step says
//	Kafka    log.go: slices of records, in which the truth is noted beside each record
//	Redis    redis.go: a map behind the real client that executes its transactions, and can lose them
//	bucket   bucket.go: a map behind the real conditions, whose writer can die before or after a write
//	the loops around the layers, as steps: who does how much next is what a history says
//
// One history is played by one goroutine (the batch layer's own ones never change its result), without
// sleeping, and is a function of its text.
//
// # What is checked
//
//   - An answer that its receipt calls exact equals the oracle over the log before the served offsets; one
//     that is batch only equals it over the log before the cut.
//   - A receipt gives exactly the reasons that Redis, clock and pointer give: no hiding behind degraded.
//   - What is computed again, the same way or from an earlier generation, has the same bytes, and counts
//     what the log before the cut holds.
//   - The floor never falls. States hold open epochs only, and nothing beyond their fence.
//   - At the end everything recovers: archive and live state reach the end of the log, a last night is
//     published, and then nobody's answer is degraded, also after a rollback.
//
// # Files
//
//	op.go        histories as text
//	generate.go  histories from seeds
//	world.go     the world in which they are played
//	log.go, stream.go, batch.go, read.go, settle.go   the steps
//	shrink.go    shorter histories that fail too
//
// testdata/mutants holds planted bugs, each of which the simulation has to notice.
package sim
