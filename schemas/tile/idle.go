package tile

import (
	"fmt"

	"github.com/anabranch/anabranch/schemas/agg"
)

// Touched returns the epoch of the latest record that changed the state; ok is false when none did.
func (s *State) Touched() (epoch int64, ok bool) {
	if n := len(s.Epochs); n > 0 {
		epoch, ok = s.Epochs[n-1].Epoch, true
	}
	if s.Recent.Len() > 0 && (!ok || s.Recent.epoch > epoch) {
		epoch, ok = s.Recent.epoch, true
	}
	return epoch, ok
}

// Forget drops what matters no more when buckets below base are not kept and records of the given epoch or later
// are to come, and reports whether anything is left.
func (s *State) Forget(base, epoch int64) (empty bool) {
	s.DropBelow(base)
	if s.Recent.Len() > 0 && s.Recent.epoch < epoch-1 {
		s.Recent = Recent{}
	}
	return len(s.Epochs) == 0 && s.Recent.Len() == 0
}

// Forgettable looks at an encoded state without decoding its buckets: whether it is as Forget leaves it, and
// whether Forget would leave nothing of it.
func (p *Plan) Forgettable(b []byte, base, epoch int64) (clean, empty bool, err error) {
	if len(b) == 0 {
		return true, true, nil
	}
	d := agg.Decoder{B: b}
	clean, empty = true, true
	if err = version(&d, stateVersion); err == nil {
		d.Int()
		var recent Recent
		n := recent.readHead(&d)
		if n > 0 && recent.epoch < epoch-1 {
			clean = false
		} else if n > 0 {
			empty = false
		}
		d.Bytes(8 * n)
		d.SkipTable()
		for range d.Count() {
			if d.Int() < base {
				clean = false
			} else {
				empty = false
			}
			d.Bytes(d.Count())
		}
		err = end(&d)
	}
	if err != nil {
		return false, false, fmt.Errorf("look into %s state: %w", p.Entity, err)
	}
	return clean, empty, nil
}
