package redis

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestFenceEncodingIsCanonical(t *testing.T) {
	got := encoded(t, Fence{TopicID: topicID, Base: 3, Epoch: 4, Next: 9007199254740993, Target: 0, Incarnation: "01J"})
	want := `{"topic_id":"` + topicID + `","base":3,"epoch":4,"next":9007199254740993,"target":0,"incarnation":"01J"}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestFenceRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := Fence{
			TopicID: rapid.StringMatching(`[0-9a-f]{32}`).Draw(t, "topic"), Base: rapid.Int64().Draw(t, "base"),
			Epoch: rapid.Int64().Draw(t, "epoch"), Next: rapid.Int64().Draw(t, "next"),
			Target: rapid.Int64().Draw(t, "target"), Incarnation: rapid.StringMatching(`[0-9A-Z]{26}`).Draw(t, "inc"),
		}
		raw, err := f.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseFence(raw)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(f, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestParseFenceRefuses(t *testing.T) {
	good := encoded(t, fenceAt(1))
	for name, raw := range map[string]string{
		"nothing":   "",
		"torn":      good[:len(good)-1],
		"trailing":  good + "x",
		"unknown":   good[:len(good)-1] + `,"later":1}`,
		"repeated":  good[:len(good)-1] + `,"base":1}`,
		"no topic":  `{"base":1,"epoch":1,"next":1,"target":1,"incarnation":"01J"}`,
		"no number": `{"topic_id":"a","base":"1","epoch":1,"next":1,"target":1,"incarnation":"01J"}`,
	} {
		if f, err := ParseFence(raw); err == nil {
			t.Errorf("%s: parsed as %+v", name, f)
		}
	}
	if _, err := (Fence{Incarnation: "01J"}).Encode(); err == nil {
		t.Error("a fence without topic id was encoded")
	}
}

func TestKeys(t *testing.T) {
	keys := Keys{Partition: 12, Namespace: "0123456789ab-v1"}
	for got, want := range map[string]string{
		keys.Fence():          "anabranch:{e12.263674}:0123456789ab-v1:fence",
		keys.User("01J", "a"): "anabranch:{e12.263674}:0123456789ab-v1-01J:u:a",
		keys.Item("01J", "b"): "anabranch:{e12.263674}:0123456789ab-v1-01J:i:b",
		keys.Global("01J"):    "anabranch:{e12.263674}:0123456789ab-v1-01J:g",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
