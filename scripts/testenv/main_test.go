package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/anabranch/anabranch/scripts/testenv/env"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		line    string
		names   string // "" = the line is refused
		command string
	}{
		{"run -- go test ./...", strings.Join(env.Defaults(), ","), "go test ./..."},
		{"run --only redis,s3 -- make x", "redis,s3", "make x"},
		{"run --only redis -- cmd --only x", "redis", "cmd --only x"},
		{"install --only kafka", "kafka", ""},
		{"run", "", ""},
		{"install -- cmd", "", ""},
		{"", "", ""},
		{"up", "", ""},
		{"run --every -- cmd", "", ""},
	}
	for _, tt := range tests {
		got, err := parse(strings.Fields(tt.line))
		if (err == nil) != (tt.names != "") {
			t.Errorf("%q: error %v", tt.line, err)
			continue
		}
		if err == nil && (strings.Join(got.names, ",") != tt.names || !slices.Equal(got.command, strings.Fields(tt.command))) {
			t.Errorf("%q: parsed as %+v", tt.line, got)
		}
	}
}

func TestRunCommandPassesItsCodeOn(t *testing.T) {
	t.Parallel()
	tests := []struct {
		script string
		want   int
	}{
		{"exit 0", 0},
		{"exit 7", 7},
		{`[ "$X" = set ] && exit 3`, 3},
		{"kill -KILL $$", 137},
	}
	for _, tt := range tests {
		if got, _ := runCommand(t.Context(), []string{"sh", "-c", tt.script}, []string{"X=set"}); got != tt.want {
			t.Errorf("%s: exit code %d, want %d", tt.script, got, tt.want)
		}
	}
	if code, err := runCommand(t.Context(), []string{"no-such-command"}, nil); code != exitError || err == nil {
		t.Errorf("a command that is not there: %d, %v", code, err)
	}
}

func TestRunCommandIsEndedWithTheContext(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan int, 1)
	go func() {
		code, _ := runCommand(ctx, []string{"sh", "-c", `trap 'exit 9' TERM; echo up > $FIFO; while :; do sleep 0.05; done`}, []string{"FIFO=" + fifo})
		done <- code
	}()
	// Reading waits until the script, with its handler in place, writes.
	if _, err := os.ReadFile(fifo); err != nil {
		t.Fatal(err)
	}
	cancel()
	if code := <-done; code != 9 {
		t.Errorf("exit code %d, want the 9 of its own handler", code)
	}
}
