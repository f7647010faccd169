package redis

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Keys in Redis carry the tags. A change of a single one would orphan a partition's state.
func TestTagsNeverChange(t *testing.T) {
	const golden = "testdata/tags.txt"
	var b bytes.Buffer
	for p := range int32(1024) {
		fmt.Fprintf(&b, "%d %s %d\n", p, tagOf(p), Keys{Partition: p}.HashSlot())
	}
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("the tags differ from %s: no release may change them", golden)
	}
}

// The definition, word by word: the least six octal digits that bring the tag to its slot, by trying.
func TestTagIsTheFirstThatHitsItsSlot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.Int32Min(0).Draw(t, "partition")
		for digits := range 1 << 18 {
			tag := fmt.Sprintf("e%d.%06o", p, digits)
			if int(crcBitByBit(tag))%16384 == (Keys{Partition: p}).HashSlot() {
				if got := tagOf(p); got != tag {
					t.Fatalf("tag %s, want %s", got, tag)
				}
				return
			}
		}
		t.Fatalf("no tag of partition %d hits its slot", p)
	})
}

// crcBitByBit follows the appendix of the Redis Cluster specification.
func crcBitByBit(s string) (crc uint16) {
	for _, c := range []byte(s) {
		crc ^= uint16(c) << 8
		for range 8 {
			carry := crc&0x8000 != 0
			crc <<= 1
			if carry {
				crc ^= 0x1021
			}
		}
	}
	return crc
}

func TestCRCOfTheSpecification(t *testing.T) {
	if got := crc16([]byte("123456789")); got != 0x31c3 {
		t.Errorf("crc16 of the specification's example = %#x, want 0x31c3", got)
	}
}

func TestTagsAreDistinct(t *testing.T) {
	// Two partitions in one slot are fine; two with one tag would share their fence.
	seen := map[string]int32{}
	for p := range int32(40_000) {
		tag := tagOf(p)
		if other, ok := seen[tag]; ok {
			t.Fatalf("partitions %d and %d have the tag %s", other, p, tag)
		}
		if strings.ContainsAny(tag, "{}") {
			t.Fatalf("the tag %s ends early", tag)
		}
		seen[tag] = p
	}
}

// Whatever the number of partitions and of masters, which own ranges of slots of equal length: the fullest
// and the emptiest master differ by as little as the bit-reversed order promises.
func TestPartitionsSpreadOverMasters(t *testing.T) {
	for masters, most := range map[int]int{2: 1, 3: 6, 4: 1, 5: 5, 6: 5, 7: 4, 8: 1, 12: 5, 16: 1} {
		counts := make([]int, masters)
		worst := 0
		for n := range int32(1024) {
			counts[Keys{Partition: n}.HashSlot()*masters/clusterSlots]++
			spread := slices.Max(counts) - slices.Min(counts)
			if spread > most {
				t.Fatalf("%d partitions on %d masters: %v, more than %d apart", n+1, masters, counts, most)
			}
			worst = max(worst, spread)
			if n == 15 && masters == 3 && spread > 1 {
				t.Errorf("16 partitions on 3 masters: %v", counts)
			}
		}
		if worst != most {
			t.Errorf("on %d masters at most %d apart: write that into this test instead of %d", masters, worst, most)
		}
	}
}

func BenchmarkSlot(b *testing.B) {
	keys := Keys{Partition: 12}
	for b.Loop() {
		_ = keys.Slot()
	}
}
