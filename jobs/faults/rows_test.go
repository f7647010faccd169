//go:build integration

package faults

const all = "Kafka, Redis, S3"

// matrix lists the rows of issue 4, in its order.
func matrix() []row {
	return []row{
		{n: 1, name: "poison records: bad JSON, null, bad UTF-8, 2 MB, 1 in 1000", needs: all, run: poison},
		{n: 2, name: "kill -9 before and after every fence write, PUT, commit", needs: all, run: kills},
		{n: 3, name: "script reply lost: the connection is cut after the request was sent", needs: all + ", proxy", run: replyLost},
		{n: 7, name: "Redis kill -9 with AOF everysec and a truncated tail", needs: all, run: redisTail},
		{n: 9, name: "FLUSHALL", needs: all, run: flushAll},
	}
}
