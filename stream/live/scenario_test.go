package live

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/tile"
)

var update = flag.Bool("update", false, "rewrite the golden parts of the scenarios")

// TestScenarios runs the stories in testdata/scenarios. A line is a command; lines that begin with
// "  " are what it printed, compared with what it prints now (-update rewrites them); # is a comment.
//
//	at TIME                               moves the clock (RFC 3339, or +2h)
//	event ID USER ITEM TYPE [key=value]   appends an event; t=-3d: acted three days ago; cat=shoes
//	garbage TEXT                          appends an invalid record
//	mark N                                appends a record with the mark header N
//	run [N] [floor=N] [crash]             applies up to N records; crash: before the commit
//	lose N                                Redis loses the last N commits
//	fence BEHIND                          Redis loses the fence's last BEHIND offsets, but no state
//	reset [OFFSET EPOCH BASE]             a new namespace is opened there, or at the start of the log
//	show FEATURE [WHO] [cut=N]            prints a feature now, and complains if the oracle differs
//	state                                 prints the fence, the keys and the dead letters
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s: run with -update and read the difference; now it is\n%s", file, got)
			}
		})
	}
}

// play runs a scenario and returns it with what its commands print now.
func play(t *testing.T, text string) []byte {
	t.Helper()
	w := newWorld(t)
	var out bytes.Buffer
	for n, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.HasPrefix(line, "  ") {
			continue
		}
		fmt.Fprintln(&out, line)
		words := strings.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		printed, err := w.do(words)
		if err != nil {
			t.Fatalf("line %d, %s: %v", n+1, line, err)
		}
		for _, p := range printed {
			fmt.Fprintln(&out, "  "+p)
		}
	}
	return out.Bytes()
}

// do runs one command and returns the lines that it prints.
func (w *world) do(words []string) ([]string, error) {
	words, options := splitOptions(words)
	number := func(i, fallback int) int {
		if i >= len(words) {
			return fallback
		}
		n, err := strconv.Atoi(words[i])
		if err != nil {
			return fallback
		}
		return n
	}
	switch words[0] {
	case "at":
		return nil, w.moveClock(words[1])
	case "event":
		return nil, w.produceWords(words, options)
	case "garbage":
		w.garbage(strings.Join(words[1:], " "))
	case "mark":
		w.mark(int64(number(1, 0)))
	case "run":
		return w.runWords(number(1, 1000), options, slices.Contains(words, "crash"))
	case "lose":
		w.lose(number(1, 1))
	case "fence":
		w.fence.Next -= int64(number(1, 1))
	case "reset":
		w.reset()
		w.fence = Fence{Next: int64(number(1, 0)), Epoch: int64(number(2, 0)), Base: int64(number(3, 0))}
	case "show":
		return w.show(words, options)
	case "state":
		return w.describe(), nil
	default:
		return nil, fmt.Errorf("unknown command")
	}
	return nil, nil
}

func splitOptions(words []string) (plain []string, options map[string]string) {
	options = map[string]string{}
	for _, word := range words {
		if k, v, ok := strings.Cut(word, "="); ok {
			options[k] = v
		} else {
			plain = append(plain, word)
		}
	}
	return plain, options
}

func (w *world) moveClock(to string) error {
	if by, ok := strings.CutPrefix(to, "+"); ok {
		d, err := span(by)
		w.now += d
		return err
	}
	at, err := event.ParseMillis(to)
	w.now = at
	return err
}

// span reads a duration that may be in days.
func span(s string) (event.Millis, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		return event.Millis(n) * dayMs, err
	}
	d, err := time.ParseDuration(s)
	return event.Millis(d.Milliseconds()), err
}

func (w *world) produceWords(words []string, options map[string]string) error {
	e := event.Event{ID: words[1], UserID: words[2], ItemID: words[3], Type: words[4], Time: w.now}
	if t, ok := options["t"]; ok {
		d, err := span(t)
		if err != nil {
			return err
		}
		e.Time += d
	}
	if category, ok := options["cat"]; ok {
		e.Stamp = &event.Stamp{Category: &category}
	}
	return w.produce(e)
}

func (w *world) runWords(n int, options map[string]string, crash bool) ([]string, error) {
	floor, _ := strconv.Atoi(options["floor"])
	letters := len(w.letters)
	result, err := w.run(n, int64(floor), crash)
	if errors.Is(err, ErrAhead) {
		return []string{"mismatch: " + ErrAhead.Error()}, nil
	}
	if err != nil {
		return nil, err
	}
	line := fmt.Sprintf("applied %d, duplicates %d, dead letters %d; fence %s", result.Applied, result.Duplicates, len(w.letters)-letters, fenceText(w.fence))
	if crash {
		line += " (crashed)"
	}
	return []string{line}, nil
}

// fenceText writes a fence as scenarios print it.
func fenceText(f Fence) string {
	return fmt.Sprintf("base=%d epoch=%d next=%d", f.Base, f.Epoch, f.Next)
}

func (w *world) show(words []string, options map[string]string) ([]string, error) {
	who := ""
	if len(words) > 2 {
		who = words[2]
	}
	cut, _ := strconv.Atoi(options["cut"])
	got, err := w.read(words[1], who, int64(cut), int64(w.now))
	if err != nil {
		return nil, err
	}
	lines := []string{render(got)}
	for _, plan := range w.plans {
		if i := plan.Feature(words[1]); i >= 0 {
			want := w.oracle.answer(w.catalogue, plan.Features[i].Def, who, 0, int64(cut), int64(w.now))
			if err := want.Check(got); err != nil {
				lines = append(lines, "the oracle, which knows the whole log, says otherwise: "+err.Error())
			}
		}
	}
	return lines, nil
}

func (w *world) describe() []string {
	lines := []string{"fence " + fenceText(w.fence)}
	suffixes := make([]string, 0, len(w.blobs))
	for s := range w.blobs {
		suffixes = append(suffixes, s)
	}
	slices.Sort(suffixes)
	for _, suffix := range suffixes {
		s, err := w.engine.Decode(suffix, w.blobs[suffix])
		if err != nil {
			lines = append(lines, suffix+" "+err.Error())
			continue
		}
		lines = append(lines, fmt.Sprintf("%s next=%d epochs=%v", suffix, s.Next, epochsOf(s)))
	}
	for _, l := range w.letters {
		lines = append(lines, fmt.Sprintf("dead letter %d %s", l.Offset, l.Rejection.Reason))
	}
	return lines
}

func epochsOf(s *tile.State) []int64 {
	out := []int64{}
	for _, b := range s.Epochs {
		out = append(out, b.Epoch)
	}
	return out
}
