package e2e_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/anabranch/anabranch/schemas/event"
)

// TestResume stops dev with Ctrl-C, while an idle connection is open, and starts it again: it goes on
// with what it has, faster than the first time.
func TestResume(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	data, address := t.TempDir(), freePort(t)
	first := start(t, smallShop(data, address)...)
	began := first.waitReady(t, time.Minute)
	c := newClient(t, began.URL, began.URL)

	list, err := c.recommend(ctx, began.User, 5)
	if err != nil || len(list.Items) != 5 || list.Receipt.Generation != began.Generation {
		t.Fatalf("the first recommendations: %+v, %v", list, err)
	}
	viewed := list.Items[0].ItemID
	e := event.Event{ID: "resume-1", UserID: began.User, ItemID: viewed, Type: "view", Time: event.MillisOf(time.Now())}
	if _, err := c.post(ctx, []event.Event{e}); err != nil {
		t.Fatal(err)
	}
	waitGone(ctx, t, c, began.User, viewed)

	conn, err := net.Dial("tcp", address) // as browsers open them in advance
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if took, code := first.interrupt(t, 5*time.Second); code != 0 || took > 2*time.Second {
		t.Errorf("Ctrl-C: exit code %d after %s, want 0 within 2s\n%s", code, took, first.tail(4<<10))
	}

	second := start(t, smallShop(data, address)...)
	resumed := second.waitReady(t, time.Minute)
	t.Logf("first start %.1f s, second %.1f s", began.Seconds, resumed.Seconds)
	if resumed.Seconds >= began.Seconds || resumed.Generation != began.Generation {
		t.Errorf("the second start took %.1f s to generation %s; the first %.1f s to %s", resumed.Seconds, resumed.Generation, began.Seconds, began.Generation)
	}
	if log := second.tail(1 << 20); strings.Contains(log, "history imported") {
		t.Errorf("the second start imported again:\n%s", log)
	}
	waitGone(ctx, t, c, began.User, viewed)
}

// waitGone waits until the recommendations of a user leave out an item.
func waitGone(ctx context.Context, t *testing.T, c *client, user, item string) {
	t.Helper()
	err := until(ctx, fmt.Sprintf("the recommendations of %s leave out %s", user, item), func() (bool, error) {
		list, err := c.recommend(ctx, user, 20)
		return err == nil && len(list.Items) > 0 && !list.has(item), err
	})
	if err != nil {
		t.Fatal(err)
	}
}
