package jobs

import (
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestExamplesParse holds every example of --help against the flags that there are.
func TestExamplesParse(t *testing.T) {
	for _, path := range slices.Sorted(maps.Keys(examples)) {
		for _, words := range commandsOf(examples[path]) {
			parser, err := newParser(&cli{}, Env{Stdout: io.Discard, Stderr: io.Discard}, func(int) {})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parser.Parse(words[1:]); err != nil {
				t.Errorf("example of %q: %s: %v", path, strings.Join(words, " "), err)
			}
		}
	}
}

// commandsOf returns the words of every anabranch command in a text.
func commandsOf(text string) [][]string {
	var all [][]string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		for command := range strings.SplitSeq(line, "|") {
			command, _, _ = strings.Cut(command, ">")
			if words := strings.Fields(command); len(words) > 0 && words[0] == "anabranch" {
				all = append(all, words)
			}
		}
	}
	return all
}

// TestEveryCommandHasExamples walks the commands: each has a help text and examples, and says both.
func TestEveryCommandHasExamples(t *testing.T) {
	parser, err := newParser(&cli{}, Env{Stdout: io.Discard, Stderr: io.Discard}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"": true}
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		for _, child := range n.Children {
			path := commandPath(child)
			known[path] = true
			if child.Help == "" {
				t.Errorf("%s has no help", path)
			}
			if len(child.Children) == 0 {
				checkHelp(t, path)
			}
			walk(child)
		}
	}
	walk(parser.Model.Node)
	for path := range examples {
		if !known[path] {
			t.Errorf("there are examples of %q, which is no command", path)
		}
	}
}

func checkHelp(t *testing.T, path string) {
	t.Helper()
	var stdout, stderr strings.Builder
	code := Main(Env{Context: t.Context(), Args: append(strings.Fields(path), "--help"), Stdout: &stdout, Stderr: &stderr})
	if code != 0 || stderr.Len() > 0 {
		t.Errorf("%s --help exits with %d and says %q", path, code, stderr.String())
	}
	if !strings.HasPrefix(stdout.String(), "Examples:\n  anabranch "+path) {
		t.Errorf("%s --help does not begin with an example of it:\n%s", path, stdout.String())
	}
}
