package tile_test

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
	"github.com/anabranch/anabranch/schemas/tile/oracle/gen"
)

// taken is an event with the epoch it is of.
type taken struct {
	oracle.Record
	epoch int64
}

// TestContinuedStateIsDecoded continues states of random definitions, batch after batch, over rising epochs and bases
// and with tiles that expire: what they decode to is what decoding all and applying comes to, and they hold few texts
// that they do not name.
func TestContinuedStateIsDecoded(t *testing.T) {
	epochs, compact, loose := map[int]int{}, 0, 0
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 2))
		c := gen.NewCase(seed, 8, 200)
		if rng.IntN(3) == 0 {
			var err error
			if c.Catalogue, err = feature.Default(); err != nil {
				t.Fatal(err)
			}
		}
		if rng.IntN(2) == 0 {
			slices.SortStableFunc(c.Log, func(a, b oracle.Record) int { return cmp.Compare(a.Event.Time, b.Event.Time) })
		}
		for _, e := range []feature.Entity{feature.User, feature.Item, feature.Global} {
			plan, err := tile.Compile(c.Catalogue, e)
			if err != nil {
				t.Fatal(err)
			}
			codec, x := plan.NewCodec(), plan.NewContinuedState()
			var state []byte
			most := 0 // texts that the state has named at one time
			epoch, base, oldest := int64(0), int64(0), c.AsOf-100*86_400_000
			for log := c.Log; len(log) > 0; {
				batch := make([]taken, min(len(log), rng.IntN(30)))
				for i := range batch {
					if rng.IntN(20) == 0 {
						epoch++
					}
					batch[i] = taken{log[i], epoch}
				}
				log = log[len(batch):]
				base = max(base, epoch-int64(rng.IntN(6)))
				if oldest += []int64{0, 3_600_000, 86_400_000}[rng.IntN(3)]; rng.IntN(9) == 0 {
					oldest = 0
				}
				want := decodedState(t, plan, state, batch, base, oldest)
				got := continuedState(t, codec, plan, x, state, batch, base, oldest)
				if whole := decodedState(t, plan, got, nil, 0, 0); !bytes.Equal(whole, want) {
					t.Fatalf("seed %d, %s: with %d events, base %d\n%x is\n%x, encoded anew\n%x, want\n%x", seed, e, len(batch), base, state, got, whole, want)
				}
				if most = max(most, texts(t, want)); texts(t, got) > most+max(32, texts(t, got)/4) {
					t.Fatalf("seed %d, %s: %d texts, at most %d were named", seed, e, texts(t, got), most)
				}
				if bytes.Equal(got, want) {
					compact++
				} else {
					loose++
				}
				_, open, err := plan.Peek(got)
				if err != nil {
					t.Fatal(err)
				}
				epochs[len(open)]++
				state = got
			}
		}
	}
	if compact < 100 || loose < 100 {
		t.Errorf("%d states are as if encoded at once, %d are not: the test says little", compact, loose)
	}
	if epochs[1] < 100 || epochs[3] < 100 {
		t.Errorf("states by number of epochs: %v: the test says little", epochs)
	}
}

// texts returns how many texts the table of a state has.
func texts(t *testing.T, state []byte) int {
	t.Helper()
	n, err := tile.Texts(state)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func decodedState(t *testing.T, plan *tile.Plan, state []byte, batch []taken, base, oldest int64) []byte {
	t.Helper()
	s, err := plan.DecodeState(state)
	if err != nil {
		t.Fatal(err)
	}
	var row tile.Row
	for _, r := range batch {
		s.Recent.Seen(tile.HashID(r.Event.ID), r.epoch)
		s.Next++
		if r.epoch >= base {
			plan.Fill(&row, &r.Event, r.Seq)
			plan.Apply(s, &row, r.epoch)
		}
	}
	s.DropBelow(base)
	for _, b := range s.Epochs {
		if oldest > 0 {
			plan.Prune(b.Bucket, oldest)
		}
	}
	return plan.NewCodec().AppendState(nil, s)
}

func continuedState(t *testing.T, codec *tile.Codec, plan *tile.Plan, x *tile.ContinuedState, state []byte, batch []taken, base, oldest int64) []byte {
	t.Helper()
	if err := x.Open(state); err != nil {
		t.Fatal(err)
	}
	whole, err := plan.DecodeState(state)
	if err != nil {
		t.Fatal(err)
	}
	wantEpoch, wantOK := whole.Touched()
	if epoch, ok := x.Touched(); epoch != wantEpoch || ok != wantOK {
		t.Fatalf("touched in epoch %d, %v; decoded %d, %v", epoch, ok, wantEpoch, wantOK)
	}
	for _, r := range batch {
		x.Recent.Seen(tile.HashID(r.Event.ID), r.epoch)
		x.Next++
		if r.epoch < base {
			continue
		}
		row, err := x.Row(r.epoch)
		if err != nil {
			t.Fatal(err)
		}
		plan.Fill(row, &r.Event, r.Seq)
	}
	got, err := codec.AppendContinuedState([]byte("before"), x, base, oldest)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimPrefix(got, []byte("before"))
}

// TestContinuedStateRefuses: a state that is cut is refused, one that is damaged does no more harm than to itself.
func TestContinuedStateRefuses(t *testing.T) {
	plan, state, _ := smallState(t, 60)
	codec, x := plan.NewCodec(), plan.NewContinuedState()
	for n := range state {
		if err := x.Open(state[:n:n]); err == nil && n > 0 {
			t.Fatalf("%d of %d bytes are accepted", n, len(state))
		}
	}
	for i := range state {
		damaged := bytes.Clone(state)
		damaged[i] ^= 0x11
		if err := x.Open(damaged); err != nil {
			continue
		}
		if row, err := x.Row(1 << 20); err == nil {
			plan.Fill(row, &event.Event{ID: "e", ItemID: "i", Type: "view", Time: event.Millis(gen.Base)}, 1<<20)
			_, _ = codec.AppendContinuedState(nil, x, 0, gen.Base+40*86_400_000)
		}
	}
	if got := continuedState(t, codec, plan, x, state, nil, 0, 0); !bytes.Equal(got, state) {
		t.Errorf("after damaged states\n%x is\n%x", state, got)
	}
}
