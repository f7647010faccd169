package materialize_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/anabranch/anabranch/batch/materialize"
	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/infra/sorted"
	"github.com/anabranch/anabranch/schemas/model"
)

// TestDamagedPreviousIsNamed flips bits of the tables that a night continues. Either the night ends with an error that names
// the table, or what was flipped is of no consequence and the bytes are those of the undamaged night.
func TestDamagedPreviousIsNamed(t *testing.T) {
	first, n := seeds(t, 4)
	for seed := first; seed < first+uint64(n); seed++ {
		w := newNights(t, seed)
		w.close(0, 120)
		o := materialize.Options{Catalogue: w.catalogue, Weights: model.DefaultWeights(), AsOf: w.at.UnixMilli()}
		before, in := compute(t, w.World, discover(t, w.World, w.target), o), model.Inputs{CutN: w.target.N, AsOf: w.at}
		w.close(0, 60) // at the same instant: what is copied is not pruned, either
		s := discover(t, w.World, w.target)
		o.AsOf, o.Previous = w.at.UnixMilli(), open(t, before, in)
		want, noticed := digest(t, compute(t, w.World, s, o)), 0
		for range 60 {
			table := w.g.IntN(2)
			bad := flipped(t, before.Files[table], w.g.Rand)
			previous := *o.Previous
			*[]**sorted.Reader{&previous.Users, &previous.Items}[table] = bad
			x := o
			x.Previous, x.Dir = &previous, t.TempDir()
			r, err := materialize.Compute(t.Context(), w.Bucket, s, x)
			switch {
			case err == nil:
				if got := digest(t, r); got != want {
					t.Fatalf("seed %d: damage of %s was not noticed:\n%s\n%s", seed, before.Files[table].File.Name, want, got)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			case !strings.Contains(err.Error(), "flipped"):
				t.Fatalf("seed %d: the error does not name the table: %v", seed, err)
			default:
				noticed++
			}
			if left, _ := os.ReadDir(x.Dir); len(left) > 0 {
				t.Errorf("seed %d: %v are left behind", seed, left)
			}
		}
		if noticed < 40 {
			t.Errorf("seed %d: %d of 60 flips were noticed", seed, noticed)
		}
	}
}

// flipped opens a copy of a table in which one bit of its rows differs.
func flipped(t *testing.T, table artifact.Local, rng *rand.Rand) *sorted.Reader {
	t.Helper()
	data, err := os.ReadFile(table.Path)
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		bad := slices.Clone(data)
		bad[64+rng.IntN(len(bad)-64)] ^= 1 << rng.IntN(8)
		r, err := sorted.OpenBytes(bad, filepath.Join("flipped", table.File.Name))
		if err == nil {
			return r
		}
	}
	t.Fatalf("no bit of the %d bytes of %s can be flipped", len(data), table.File.Name)
	return nil
}
