//go:build integration

package console_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anabranch/anabranch/scripts/testenv/need"
	"github.com/anabranch/anabranch/serving/console/consoletest"
)

// visit opens the console of a fake shop in a browser that ends with the test.
func visit(t *testing.T, cfg consoletest.Config) (*consoletest.Visit, *fakeShop, *httptest.Server) {
	t.Helper()
	server, shop := serveFake(t)
	cfg.Chromium, cfg.Dir, cfg.URL = need.Chromium(t), t.TempDir(), server.URL
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	v, err := consoletest.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v, shop, server
}

// keep writes a screenshot to the file that ANABRANCH_SCREENSHOT names, or to a temporary one.
func keep(t *testing.T, v *consoletest.Visit, suffix string) {
	t.Helper()
	png, err := v.Screenshot()
	if err != nil {
		t.Fatal(err)
	}
	file := cmp.Or(os.Getenv("ANABRANCH_SCREENSHOT"), filepath.Join(t.TempDir(), "console.png"))
	ext := filepath.Ext(file)
	file = strings.TrimSuffix(file, ext) + suffix + ext
	if err := os.WriteFile(file, png, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("screenshot: %s", file)
}

// noComplaints fails the test if the browser complained about anything so far.
func noComplaints(t *testing.T, v *consoletest.Visit) {
	t.Helper()
	for _, c := range v.Complaints() {
		t.Errorf("the browser complained: %s", c)
	}
}

// wantText fails the test unless the element's text holds want.
func wantText(t *testing.T, v *consoletest.Visit, selector, want string) {
	t.Helper()
	if text, err := v.Text(selector); err != nil || !strings.Contains(text, want) {
		t.Errorf("%s says %q, %v; want %q in it", selector, text, err, want)
	}
}

func TestIntegrationConsole(t *testing.T) {
	v, shop, _ := visit(t, consoletest.Config{})
	viewed, err := v.ViewFirst("u42")
	if err != nil {
		t.Fatal(err)
	}
	if sent := shop.taken("u42"); len(sent) != 1 || sent[0].ItemID != viewed || sent[0].Type != "view" {
		t.Errorf("after the press on view of %s the server has %+v", viewed, sent)
	}
	for _, list := range []string{"batch", "live", "merged"} {
		if items, err := v.Items(list); err != nil || len(items) != 10 {
			t.Errorf("%s shows %q, %v; want 10 items", list, items, err)
		}
	}
	wantText(t, v, "#notice", "The merged answer knew it")
	wantText(t, v, "#merged li .chip.new", "new") // the view moved the list away from batch
	wantText(t, v, "#receipt", fakeGeneration)
	wantText(t, v, "#features", "view "+viewed)
	if err := v.WaitPulse(3); err != nil {
		t.Fatal(err)
	}
	wantText(t, v, "#state", "running")
	wantText(t, v, "#generation", fakeGeneration)
	for i, words := range []string{"HR@20", "popularity HR@20", "Recall@20", "NDCG@20", "MRR@20", "coverage@20", "held-out users"} {
		wantText(t, v, fmt.Sprintf("#metrics > div:nth-child(%d) dt", i+1), words)
	}
	wantText(t, v, "#metrics", "1,229")
	wantText(t, v, "#fresh-note", "at most")
	noComplaints(t, v)
	keep(t, v, "")
}

// TestIntegrationConsoleKeyboard presses buttons with the keyboard only; the focus must not be lost
// when the row that holds it goes.
func TestIntegrationConsoleKeyboard(t *testing.T) {
	v, shop, _ := visit(t, consoletest.Config{})
	if err := v.ChooseUser("u7"); err != nil {
		t.Fatal(err)
	}
	for i, eventType := range []string{"cart", "cart", "purchase"} {
		items, err := v.Items("merged")
		if err != nil {
			t.Fatal(err)
		}
		if i != 1 { // the second time the focus is where the first press left it
			if err := v.Focus("merged", items[0], eventType); err != nil {
				t.Fatal(err)
			}
		}
		if err := v.Type("\r"); err != nil {
			t.Fatal(err)
		}
		if err := v.WaitGone("merged", items[0]); err != nil {
			t.Fatal(err)
		}
		if sent := shop.taken("u7"); len(sent) != i+1 || sent[i].ItemID != items[0] || sent[i].Type != eventType {
			t.Fatalf("press %d on %s of %s: the server has %+v", i, eventType, items[0], sent)
		}
	}
	noComplaints(t, v)
}

// TestIntegrationConsoleNarrow looks at the page on a small telephone in the dark, with texts that
// would be code if they were markup.
func TestIntegrationConsoleNarrow(t *testing.T) {
	v, _, _ := visit(t, consoletest.Config{Width: 360, Height: 740, Dark: true})
	if user, err := v.RandomUser(); err != nil || !strings.HasPrefix(user, "u") {
		t.Errorf("the random user is %q, %v", user, err)
	}
	if err := v.ChooseUser(fakeVictim); err != nil {
		t.Fatal(err)
	}
	wantText(t, v, "#merged .title", hostile)
	wantText(t, v, "title", "Anabranch")
	if px, err := v.Overflow(); err != nil || px != 0 {
		t.Errorf("the page is %d px wider than its window, %v", px, err)
	}
	noComplaints(t, v)
	keep(t, v, "-narrow-dark")
}

// TestIntegrationConsoleProblems sees what a visitor is told when the server refuses or is gone.
func TestIntegrationConsoleProblems(t *testing.T) {
	v, _, server := visit(t, consoletest.Config{})
	if err := v.ChooseUser(strings.Repeat("ü", 200)); err != nil {
		t.Fatal(err)
	}
	wantText(t, v, "#notice.wrong", "at most 256 bytes")
	if err := v.ChooseUser("u1"); err != nil {
		t.Fatal(err)
	}
	wantText(t, v, "#receipt", fakeGeneration)
	server.CloseClientConnections()
	server.Close()
	wantText(t, v, "#state[data-kind=bad]", "does not answer")
}
