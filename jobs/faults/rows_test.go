//go:build integration

package faults

const all = "Kafka, Redis, S3"

// matrix lists the rows of issue 4, in its order.
func matrix() []row {
	return []row{
		{n: 1, name: "poison records: bad JSON, null, bad UTF-8, 2 MB, 1 in 1000", needs: all, run: poison},
		{n: 2, name: "kill -9 before and after every fence write, PUT, commit", needs: all, run: kills},
		{n: 3, name: "reply to a commit lost: the connection is cut after the request was sent", needs: all + ", proxy", run: replyLost},
		{n: 4, name: "PUT cut in the middle", needs: all + ", proxy", run: putCut},
		{n: 5, name: "zombie owner: SIGSTOP past the session timeout, then SIGCONT", needs: all, run: zombie},
		{n: 6, name: "rebalance storm: 1 to 8 to 1 workers, every 5 s", needs: all, run: storm},
		{n: 7, name: "Redis kill -9 with AOF everysec and a truncated tail", needs: all, run: onOwnRedis(redisTail)},
		{n: 8, name: "fail-over to a stalled replica that lost acknowledged writes", needs: all + ", replica, proxy", run: failover},
		{n: 9, name: "FLUSHALL", needs: all, run: onOwnRedis(flushAll)},
		{n: 10, name: "Redis out of memory", needs: all, run: onOwnRedis(outOfMemory)},
		{n: 11, name: "SCRIPT FLUSH, and connections that watch are cut", needs: all, run: underLoad(scriptFlush)},
		{n: 12, name: "eviction policy wrong: refuses to start", needs: all, run: evicts},
		{n: 13, name: "Kafka down for 60 s", needs: all, run: underLoad(kafkaDown)},
		{n: 14, name: "topic deleted and recreated: halts with a runbook line", needs: all, run: recreated},
		{n: 15, name: "offsets expired: new namespace, degraded until a generation covers it", needs: all, run: expired},
		{n: 16, name: "operator rewinds or fast-forwards the group", needs: all, run: underLoad(operator)},
		{n: 17, name: "producer sends 10% duplicates", needs: all, run: afterwards(duplicates)},
		{n: 18, name: "event clocks ±1 day, year 9999, negative, missing", needs: all, run: afterwards(eventClocks)},
		{n: 19, name: "events late by days", needs: all, run: afterwards(late)},
		{n: 20, name: "schema v1 and v2 mixed, unknown types", needs: all, run: afterwards(versions)},
		{n: 21, name: "user with 100k events while others' p99 stays flat", needs: all, run: heavy},
		{n: 22, name: "one item takes half of the traffic", needs: all, run: afterwards(hotItem)},
		{n: 23, name: "S3 503, 409, 412", needs: all, run: s3Moods},
		{n: 24, name: "disk full for the archiver", needs: "Kafka", run: diskFull},
		{n: 25, name: "SIGTERM under load", needs: all, run: underLoad(terminate)},
		{n: 26, name: "partition count grown by an operator: refused with the command", needs: all, run: grown},
		{n: 27, name: "dev-mode kfake killed with its data directory", needs: "embedded", run: devKilled},
		{n: 28, name: "broker and producer clocks jump a year forward and back", needs: all, run: clocks},
		{n: 29, name: "marker dies between partitions; two markers", needs: all, run: underLoad(markers)},
		{n: 30, name: "two definitions during a rolling deploy, then rollback", needs: all, run: underLoad(deploy)},
		{n: 31, name: "server on an older generation after its epochs were trimmed: degraded", needs: all, run: stale},
	}
}
