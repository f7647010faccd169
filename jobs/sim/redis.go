package sim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/anabranch/anabranch/infra/redis"
)

// errDown is what every command finds while Redis is down.
var errDown = errors.New("redis is down")

// answer is what may become of the next transaction.
type answer int64

const (
	answered answer = iota
	refused         // it is not executed, and an error comes back
	unheard         // it is executed, and an error comes back
)

// server is a Redis in memory behind the real client: transactions are executed as one step, and the latest of them
// can be lost.
type server struct {
	data    map[string]string
	history []undo
	down    bool
	next    answer
	current *undo // of the transaction that is executed
}

// undo is what a transaction changed, with what was there before it.
type undo struct {
	fence  string // its key
	before []change
}

type change struct {
	key, value string
	existed    bool
}

func newServer() *server { return &server{data: map[string]string{}} }

// dial returns a client with a connection of its own.
func (s *server) dial() *goredis.Client {
	client := goredis.NewClient(&goredis.Options{Addr: "127.0.0.1:6379", Protocol: 2, MaxRetries: -1})
	client.AddHook(&link{server: s, watched: map[string]string{}})
	return client
}

// link is a connection: what one client has sent ends here.
type link struct {
	*server
	watched map[string]string // keys with the values that they had
	queued  []goredis.Cmder   // since MULTI
	multi   bool
}

// DialHook implements goredis.Hook.
func (l *link) DialHook(goredis.DialHook) goredis.DialHook {
	return func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("the simulated Redis has no network")
	}
}

// ProcessHook implements goredis.Hook: commands end here.
func (l *link) ProcessHook(goredis.ProcessHook) goredis.ProcessHook {
	return func(_ context.Context, cmd goredis.Cmder) error {
		err := l.do(cmd)
		cmd.SetErr(err)
		return err
	}
}

// ProcessPipelineHook implements goredis.Hook.
func (l *link) ProcessPipelineHook(goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(_ context.Context, cmds []goredis.Cmder) (first error) {
		for _, cmd := range cmds {
			err := l.send(cmd)
			cmd.SetErr(err)
			if first == nil {
				first = err
			}
			if errors.Is(err, errDown) { // there is no connection any more
				l.multi, l.queued = false, nil
				clear(l.watched)
			}
		}
		return first
	}
}

// send takes a command of a pipeline.
func (l *link) send(cmd goredis.Cmder) error {
	switch name := cmd.Name(); {
	case l.down:
		return errDown
	case name == "unwatch":
		clear(l.watched)
	case name == "watch":
		key := text(cmd.Args()[1])
		l.watched[key] = l.data[key]
	case name == "multi":
		l.multi = true
	case name == "exec":
		return l.exec(cmd.(*goredis.Cmd))
	case l.multi:
		l.queued = append(l.queued, cmd)
	default:
		return l.do(cmd)
	}
	return nil
}

// exec executes what is queued, unless a key that is watched has another value than it had.
func (l *link) exec(cmd *goredis.Cmd) error {
	queued, outcome := l.queued, l.next
	l.queued, l.multi, l.next = nil, false, answered
	same := true
	for key, value := range l.watched {
		same = same && l.data[key] == value
	}
	clear(l.watched)
	switch {
	case outcome == refused:
		return errDown
	case !same:
		return goredis.Nil
	}
	fence := queued[len(queued)-1].Args()
	l.current = &undo{fence: text(fence[1])}
	replies := make([]any, len(queued))
	for i, cmd := range queued {
		var err error
		if replies[i], err = l.execute(cmd); err != nil {
			return err
		}
	}
	l.history = append(l.history, *l.current)
	if outcome == unheard {
		return errDown
	}
	cmd.SetVal(replies)
	return nil
}

// execute executes a command of a transaction and returns its reply.
func (s *server) execute(cmd goredis.Cmder) (reply any, err error) {
	args := cmd.Args()
	switch name := cmd.Name(); name {
	case "get":
		return s.data[text(args[1])], nil
	case "set", "mset":
		for i := 1; i+1 < len(args); i += 2 {
			s.set(text(args[i]), text(args[i+1]))
		}
		return "OK", nil
	case "del":
		before := len(s.data)
		for _, key := range args[1:] {
			s.remember(text(key))
			delete(s.data, text(key))
		}
		return int64(before - len(s.data)), nil
	case "sadd", "srem":
		s.changeSet(text(args[1]), name == "sadd", args[2:])
		return int64(len(args) - 2), nil // who asks is not told how many were new
	default:
		return nil, serverError("ERR unknown command " + name)
	}
}

// serverError is an error that the server answers.
type serverError string

// Error implements error.
func (e serverError) Error() string { return string(e) }

// RedisError implements goredis.Error.
func (serverError) RedisError() {}

func (s *server) do(cmd goredis.Cmder) error {
	if s.down {
		return errDown
	}
	args := cmd.Args()
	switch cmd := cmd.(type) {
	case *goredis.StringCmd: // GET
		v, ok := s.data[text(args[1])]
		if !ok {
			return goredis.Nil
		}
		cmd.SetVal(v)
		return nil
	case *goredis.SliceCmd: // MGET
		values := make([]any, len(args)-1)
		for i, key := range args[1:] {
			if v, ok := s.data[text(key)]; ok {
				values[i] = v
			}
		}
		cmd.SetVal(values)
		return nil
	case *goredis.StringSliceCmd: // SMEMBERS, SRANDMEMBER
		members := membersOf(s.data[text(args[1])])
		if n, ok := args[len(args)-1].(int64); ok && cmd.Name() == "srandmember" {
			members = members[:min(len(members), int(n))]
		}
		cmd.SetVal(members)
		return nil
	}
	return serverError("ERR unknown command " + cmd.Name())
}

func (s *server) set(key, value string) {
	s.remember(key)
	s.data[key] = value
}

// membersOf returns the members of a set, which is kept as one string.
func membersOf(set string) []string {
	if set == "" {
		return nil
	}
	return strings.Split(set, "\n")
}

func (s *server) changeSet(key string, add bool, members []any) {
	s.remember(key)
	set := membersOf(s.data[key])
	for _, member := range members {
		m := text(member)
		i, found := slices.BinarySearch(set, m)
		switch {
		case add && !found:
			set = slices.Insert(set, i, m)
		case !add && found:
			set = slices.Delete(set, i, i+1)
		}
	}
	if s.data[key] = strings.Join(set, "\n"); len(set) == 0 {
		delete(s.data, key)
	}
}

func (s *server) remember(key string) {
	v, ok := s.data[key]
	s.current.before = append(s.current.before, change{key, v, ok})
}

// lose undoes the last n transactions that changed something, as a failover to a replica that lags does.
func (s *server) lose(n int) int {
	n = min(n, len(s.history))
	for range n {
		last := s.history[len(s.history)-1]
		s.history = s.history[:len(s.history)-1]
		for i := len(last.before) - 1; i >= 0; i-- {
			if c := last.before[i]; c.existed {
				s.data[c.key] = c.value
			} else {
				delete(s.data, c.key)
			}
		}
	}
	return n
}

// tear sets the fence of the last transaction back by n of its own moves, but no state. It reports whether there was
// a move to undo. The fence stays in its incarnation.
func (s *server) tear(n int) (fence string, ok bool) {
	if len(s.history) == 0 {
		return "", false
	}
	fence = s.history[len(s.history)-1].fence
	now, err := redis.ParseFence(s.data[fence])
	for i := len(s.history) - 1; i >= 0 && n > 0 && err == nil; i-- {
		if s.history[i].fence != fence {
			continue
		}
		for _, c := range s.history[i].before {
			f, err := redis.ParseFence(c.value)
			if c.key == fence && err == nil && f.Incarnation == now.Incarnation {
				s.data[fence], ok = c.value, true
				n--
			}
		}
	}
	s.history = nil
	return fence, ok
}

func (s *server) flush() {
	clear(s.data)
	s.history = nil
}

// text is an argument as the client would send it.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return fmt.Sprint(v)
}
