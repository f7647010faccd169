package sim

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"
	lua "github.com/yuin/gopher-lua"

	"github.com/anabranch/anabranch/infra/redis"
)

// errDown is what every command finds while Redis is down.
var errDown = errors.New("redis is down")

// answer is what may become of the next script.
type answer int64

const (
	answered answer = iota
	refused         // it is not run, and an error comes back
	unheard         // it is run, and an error comes back
)

// server is a Redis in memory behind the real client: it runs the real script of infra/redis, each as one
// step, and can lose its latest writes.
type server struct {
	data    map[string]string
	history []undo
	down    bool
	next    answer

	scripts map[string]*lua.LFunction // by SHA-1
	lua     *lua.LState
	current *undo // of the script that runs
}

// undo is what a script changed, with what was there before it.
type undo struct {
	fence  string // its key
	before []change
}

type change struct {
	key, value string
	existed    bool
}

// newServer returns an empty server and a client of it. Both end with close.
func newServer() (*server, *goredis.Client) {
	s := &server{data: map[string]string{}, scripts: map[string]*lua.LFunction{}, lua: lua.NewState()}
	table := s.lua.NewTable()
	s.lua.SetField(table, "call", s.lua.NewFunction(s.call))
	s.lua.SetGlobal("redis", table)
	client := goredis.NewClient(&goredis.Options{Addr: "simulated:6379", Protocol: 2, MaxRetries: -1})
	client.AddHook(s)
	return s, client
}

// DialHook implements goredis.Hook.
func (s *server) DialHook(goredis.DialHook) goredis.DialHook {
	return func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("the simulated Redis has no network")
	}
}

// ProcessHook implements goredis.Hook: commands end here.
func (s *server) ProcessHook(goredis.ProcessHook) goredis.ProcessHook {
	return func(_ context.Context, cmd goredis.Cmder) error {
		err := s.do(cmd)
		cmd.SetErr(err)
		return err
	}
}

// ProcessPipelineHook implements goredis.Hook.
func (s *server) ProcessPipelineHook(goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(_ context.Context, cmds []goredis.Cmder) (first error) {
		for _, cmd := range cmds {
			err := s.do(cmd)
			cmd.SetErr(err)
			if first == nil {
				first = err
			}
		}
		return first
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
	case *goredis.Cmd: // EVALSHA, EVAL
		return s.script(cmd, args)
	}
	return serverError("ERR unknown command " + cmd.Name())
}

// script answers EVALSHA or EVAL.
func (s *server) script(cmd *goredis.Cmd, args []any) error {
	name := text(args[1])
	if cmd.Name() == "eval" {
		f, err := s.lua.LoadString(name)
		if err != nil {
			return serverError("ERR " + err.Error())
		}
		name = goredis.NewScript(name).Hash()
		s.scripts[name] = f
	}
	f := s.scripts[name]
	if f == nil {
		return serverError("NOSCRIPT No matching script")
	}
	outcome := s.next
	s.next = answered
	if outcome == refused {
		return errDown
	}
	reply, err := s.run(f, args)
	if err != nil {
		return serverError("ERR " + err.Error())
	}
	if outcome == unheard {
		return errDown
	}
	cmd.SetVal(reply)
	return nil
}

func (s *server) run(f *lua.LFunction, args []any) ([]any, error) {
	numKeys, ok := args[2].(int)
	if !ok {
		return nil, fmt.Errorf("%v keys", args[2])
	}
	s.current = &undo{fence: text(args[3])}
	s.lua.SetGlobal("KEYS", s.table(args[3:3+numKeys]))
	s.lua.SetGlobal("ARGV", s.table(args[3+numKeys:]))
	if err := s.lua.CallByParam(lua.P{Fn: f, NRet: 1, Protect: true}); err != nil {
		return nil, err
	}
	result, ok := s.lua.Get(-1).(*lua.LTable)
	s.lua.Pop(1)
	if !ok {
		return nil, errors.New("the script's reply is no table")
	}
	if len(s.current.before) > 0 {
		s.history = append(s.history, *s.current)
	}
	return []any{int64(lua.LVAsNumber(result.RawGetInt(1))), lua.LVAsString(result.RawGetInt(2))}, nil
}

func (s *server) table(values []any) *lua.LTable {
	t := s.lua.CreateTable(len(values), 0)
	for _, v := range values {
		t.Append(lua.LString(text(v)))
	}
	return t
}

// call is redis.call inside a script.
func (s *server) call(l *lua.LState) int {
	switch name := l.CheckString(1); name {
	case "GET":
		if v, ok := s.data[l.CheckString(2)]; ok {
			l.Push(lua.LString(v))
		} else {
			l.Push(lua.LFalse)
		}
		return 1
	case "SET", "MSET":
		for i := 2; i < l.GetTop(); i += 2 {
			s.set(l.CheckString(i), l.CheckString(i+1))
		}
	case "DEL":
		for i := 2; i <= l.GetTop(); i++ {
			s.remember(l.CheckString(i))
			delete(s.data, l.CheckString(i))
		}
	case "SADD", "SREM":
		s.changeSet(l.CheckString(2), name == "SADD", func(yield func(string) bool) {
			for i := 3; i <= l.GetTop() && yield(l.CheckString(i)); i++ {
			}
		})
	default:
		l.RaiseError("unknown command %s", name)
	}
	l.Push(lua.LString("OK"))
	return 1
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

func (s *server) changeSet(key string, add bool, members iter.Seq[string]) {
	s.remember(key)
	set := membersOf(s.data[key])
	for m := range members {
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

// lose undoes the last n scripts that changed something, as a failover to a replica that lags does.
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

// tear sets the fence of the last script back by n of its own moves, but no state. It reports whether there was
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
