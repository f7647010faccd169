package jobs

import (
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestReadmeCommands holds the commands in the README's shell blocks against the command line and the
// Makefile: every one of them parses, with the flags it names.
func TestReadmeCommands(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	commands := shellLines(string(readme))
	if len(commands) < 8 {
		t.Fatalf("found %d commands: %q", len(commands), commands)
	}
	for _, c := range commands {
		words := strings.Fields(strings.ReplaceAll(c, "'", ""))
		if words[0] == "make" {
			if target := regexp.MustCompile(`(?m)^` + words[1] + `:`); !target.Match(makefile) {
				t.Errorf("%s: the Makefile has no such target", c)
			}
			words = argsOfMake(c)
		}
		if len(words) > 0 {
			parses(t, c, words[1:])
		}
	}
}

// shellLines returns the commands of the fenced sh blocks, continuation lines joined, comments cut.
func shellLines(text string) []string {
	var out []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(text, -1) {
		joined := strings.ReplaceAll(block[1], "\\\n", " ")
		for line := range strings.Lines(joined) {
			line, _, _ = strings.Cut(line, " #")
			if line = strings.TrimSpace(line); line != "" {
				out = append(out, line)
			}
		}
	}
	return out
}

// argsOfMake returns the dev command that `make demo ARGS="…"` runs, or nil for other targets.
func argsOfMake(c string) []string {
	if !strings.HasPrefix(c, "make demo") {
		return nil
	}
	args := []string{"anabranch", "dev"}
	if m := regexp.MustCompile(`ARGS="(.*)"`).FindStringSubmatch(c); m != nil {
		args = append(args, strings.Fields(m[1])...)
	}
	return args
}

func parses(t *testing.T, command string, args []string) {
	t.Helper()
	var c cli
	parser, err := newParser(&c, Env{Stdout: io.Discard, Stderr: io.Discard}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(slices.Clone(args)); err != nil {
		t.Errorf("%s: %v", command, err)
	}
}
