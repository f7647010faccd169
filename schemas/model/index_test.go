package model

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func object(p int32, first, end int64) Object {
	return Object{Key: RawKey("t", 3, p, first), Partition: p, First: first, End: end}
}

func TestIndexAdd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var objects []Object
		for p := range rapid.Int32Range(1, 4).Draw(t, "partitions") {
			for i := range rapid.IntRange(0, 5).Draw(t, "objects") {
				objects = append(objects, object(p, int64(i*10), int64(i*10+10)))
			}
		}
		seed := rapid.Uint64().Draw(t, "order")
		shuffled := slices.Clone(objects)
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		var x Index
		for _, o := range append(shuffled, shuffled...) {
			x.Add(o)
		}
		if d := cmp.Diff(objects, x.Objects); d != "" || x.Version != int64(len(objects)) {
			t.Fatalf("version %d after %d new objects; %s", x.Version, len(objects), d)
		}
		for p := range int32(5) {
			want := slices.DeleteFunc(slices.Clone(objects), func(o Object) bool { return o.Partition != p })
			if !slices.Equal(want, x.Of(p)) {
				t.Fatalf("partition %d: %v, want %v", p, x.Of(p), want)
			}
		}
	})
}

func TestIndexReplace(t *testing.T) {
	var x Index
	x.Add(object(1, 5, 9))
	erased := object(1, 5, 9)
	erased.SHA256 = "other"
	if !x.Add(erased) || len(x.Objects) != 1 || x.Objects[0] != erased || x.Version != 2 {
		t.Errorf("%+v", x)
	}
}

func TestIndexEnd(t *testing.T) {
	var x Index
	if d := cmp.Diff([]int32{0, 1, 2}, x.Missing(3)); d != "" {
		t.Error(d)
	}
	if !x.SetEnd(1, 7) || x.SetEnd(1, 7) || x.Version != 1 {
		t.Errorf("an end is news once: %+v", x)
	}
	if d := cmp.Diff([]int32{0, 2}, x.Missing(3)); d != "" {
		t.Error(d)
	}
}

func TestCheckChain(t *testing.T) {
	from, to := Cut{0: 5, 1: 0}, Cut{0: 20, 1: 0}
	for _, c := range []struct {
		name    string
		objects []Object
		says    string
	}{
		{"whole", []Object{object(0, 5, 10), object(0, 10, 20)}, ""},
		{"nothing", nil, "ends at offset 5"},
		{"starts late", []Object{object(0, 6, 20)}, "expected 5"},
		{"gap", []Object{object(0, 5, 10), object(0, 11, 20)}, "expected 10"},
		{"overlap", []Object{object(0, 5, 10), object(0, 9, 20)}, "expected 10"},
		{"ends early", []Object{object(0, 5, 19)}, "ends at offset 19"},
		{"ends late", []Object{object(0, 5, 21)}, "ends at offset 21"},
		{"covers nothing", []Object{object(0, 5, 5)}, "covers nothing"},
		{"other partition", []Object{object(0, 5, 20), object(2, 0, 1)}, "partition 2"},
	} {
		x := Index{Epoch: 3, Objects: c.objects}
		err := x.CheckChain(from, to)
		if (c.says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
}

func TestRawKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		topic := rapid.StringMatching(`[0-9a-f]{32}`).Draw(t, "topic")
		epoch, first := rapid.Int64Range(0, 1<<62).Draw(t, "epoch"), rapid.Int64Range(0, 1<<62).Draw(t, "first")
		p := rapid.Int32Range(0, 1<<30).Draw(t, "partition")
		key := RawKey(topic, epoch, p, first)
		gt, ge, gp, gf, err := ParseRawKey(key)
		if err != nil || gt != topic || ge != epoch || gp != p || gf != first {
			t.Fatalf("%s came back as %s %d %d %d: %v", key, gt, ge, gp, gf, err)
		}
		if !strings.HasPrefix(key, RawPartitionPrefix(topic, epoch, p)) || !strings.HasPrefix(key, RawEpochPrefix(topic, epoch)) {
			t.Fatalf("%s has not its prefixes", key)
		}
	})
	good := RawKey("t", 1, 2, 3)
	for _, key := range []string{"", "x" + good, good + ".tmp", strings.Replace(good, "p=00002", "p=2", 1), "raw/events/t", RawKey("t", 1, 2, -3)} {
		if _, _, _, _, err := ParseRawKey(key); err == nil {
			t.Errorf("%q was accepted", key)
		}
	}
}

func TestIndexKey(t *testing.T) {
	for _, epoch := range []int64{0, 7, 1 << 40} {
		if got, err := ParseIndexKey(IndexKey(epoch)); err != nil || got != epoch {
			t.Errorf("epoch %d came back as %d: %v", epoch, got, err)
		}
	}
	for _, key := range []string{"", "raw/index/1.json", IndexKey(1) + "x", "raw/index/x.json"} {
		if _, err := ParseIndexKey(key); err == nil {
			t.Errorf("%q was accepted", key)
		}
	}
	if ImportPartKey("s", "2026-01-31", 7, SHA256Hex(nil)) != "raw/imports/s/dt=2026-01-31/part-00007-e3b0c44298fc.parquet" || ImportKey("s") != "raw/imports/s/index.json" {
		t.Error("the keys of an import changed")
	}
}
