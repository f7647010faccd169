package sim

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Op is one step of a history: a verb and its arguments. It holds all of its own chance, so that what is
// left of a history means the same after other steps were dropped from it.
type Op struct {
	Verb string
	Args []int64
}

// verbs are the steps and the names of their arguments.
var verbs = map[string][]string{
	// The log.
	"event":   {"seed", "user", "back"},     // back > 0 repeats the id of that user's event that many records ago
	"far":     {"seed", "user", "distance"}, // an event, and again after distance−1 other records of its user
	"garbage": {"seed"},                     // an invalid record
	"header":  {"seed"},                     // a foreign record with the mark header, which counts nowhere
	"control": {"partition"},                // the end of a transaction
	"import":  {"file"},                     // history; again is nothing
	"wait":    {"ms"},                       // time passes
	"logtime": {"ms"},                       // what follows is logged that far from the right time
	"mark":    {"skew", "partitions"},       // the closer's clock; a bit for each partition that gets the record now
	"finish":  {},                           // half-written marks are completed
	"retain":  {},                           // Kafka forgets what the floor no longer needs

	// The layers.
	"archive":  {"worker", "partition", "records", "crash"},
	"own":      {"catalogue", "owner", "partition", "records", "crash", "stale"},
	"verify":   {"catalogue", "owner", "partition"},
	"define":   {"catalogue"},             // another catalogue is configured
	"night":    {"way", "again", "crash"}, // of the last mark that is archived; odd ways continue an earlier generation
	"rollback": {"to", "crash"},
	"refresh":  {"server"},

	// Redis.
	"lose":  {"commits"},
	"torn":  {"commits"}, // a fence falls back, the states stay
	"flush": {},
	"redis": {"down"},

	// Questions.
	"read":   {"server", "entity", "who", "lag"},
	"asof":   {"entity", "who", "ago"},
	"settle": {}, // everything recovers and every answer is exact
}

// String returns the step as a line: the verb, then name=value for each argument.
func (o Op) String() string {
	var b strings.Builder
	b.WriteString(o.Verb)
	for i, name := range verbs[o.Verb] {
		fmt.Fprintf(&b, " %s=%d", name, o.Args[i])
	}
	return b.String()
}

// parseOp reads a line of String; arguments may come in any order and are 0 where they are left out.
func parseOp(line string) (Op, error) {
	words := strings.Fields(line)
	names, known := verbs[words[0]]
	if !known {
		return Op{}, fmt.Errorf("unknown step %q", words[0])
	}
	o := Op{Verb: words[0], Args: make([]int64, len(names))}
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		i := slices.Index(names, name)
		n, err := strconv.ParseInt(value, 10, 64)
		if i < 0 || err != nil {
			return Op{}, fmt.Errorf("%s: %q is none of %v with a whole number", words[0], word, names)
		}
		o.Args[i] = n
	}
	return o, nil
}

// History is what a simulation plays: the world that a seed makes, and the steps in it.
type History struct {
	Seed uint64 // of catalogues, number of partitions and such
	Ops  []Op
}

// Write prints the history as Read reads it; notes, if any, follow the steps as comments.
func (h History) Write(w io.Writer, notes []string) error {
	_, err := fmt.Fprintf(w, "seed %d\n", h.Seed)
	for i, o := range h.Ops {
		if err != nil {
			return err
		}
		if i < len(notes) && notes[i] != "" {
			_, err = fmt.Fprintf(w, "%-60s # %s\n", o, strings.ReplaceAll(notes[i], "\n", " / "))
		} else {
			_, err = fmt.Fprintln(w, o)
		}
	}
	return err
}

// Read reads a history. Empty lines and what follows a # are left out.
func Read(r io.Reader) (History, error) {
	var h History
	lines, seeded := bufio.NewScanner(r), false
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if seed, ok := strings.CutPrefix(line, "seed "); ok && !seeded {
			var err error
			if h.Seed, err = strconv.ParseUint(seed, 10, 64); err != nil {
				return h, fmt.Errorf("line %d: %q is no seed", n, seed)
			}
			seeded = true
			continue
		}
		o, err := parseOp(line)
		if err != nil {
			return h, fmt.Errorf("line %d: %w", n, err)
		}
		h.Ops = append(h.Ops, o)
	}
	if err := lines.Err(); err != nil {
		return h, err
	}
	if !seeded {
		return h, fmt.Errorf("the first line must be: seed NUMBER")
	}
	return h, nil
}
