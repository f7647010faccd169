package redis

import goredis "github.com/redis/go-redis/v9"

// Transaction is what a [Committer] sends, as hooks of go-redis see it: tests and benchmarks count, delay and break commits.
type Transaction struct {
	Fence  string // its key
	Next   string // the raw fence that follows
	Writes []KV
	Others int // commands for sets and deletes

	Exec *goredis.Cmd
}

// TransactionOf returns the commit that a pipeline makes; ok is false for every other one.
func TransactionOf(commands []goredis.Cmder) (t Transaction, ok bool) {
	if len(commands) == 0 || commands[0].Name() != "multi" {
		return t, false
	}
	for _, c := range commands[1:] {
		args := c.Args()
		switch c.Name() {
		case "mset":
			for i := 1; i+1 < len(args); i += 2 {
				key, _ := args[i].(string)
				value, _ := args[i+1].([]byte)
				t.Writes = append(t.Writes, KV{key, value})
			}
		case "sadd", "srem", "del":
			t.Others++
		case "set":
			t.Fence, _ = args[1].(string)
			t.Next, _ = args[2].(string)
		case "exec":
			t.Exec, ok = c.(*goredis.Cmd)
			return t, ok && t.Fence != ""
		}
	}
	return t, false
}
