package sim

import "slices"

// Shrink looks for a shorter history that fails too, by leaving out runs of steps, longest first (delta
// debugging; Zeller and Hildebrandt, 2002), then by making numbers smaller. It plays at most so many.
func Shrink(f *Failure, trials int) *Failure {
	best := f
	try := func(ops []Op) bool {
		if trials--; trials < 0 {
			return false
		}
		next := History{best.Seed, ops}.Run()
		if next == nil {
			return false
		}
		best = next
		return true
	}
	for size := len(best.Ops) / 2; size > 0; {
		shorter := false
		for from := 0; from+size <= len(best.Ops) && trials > 0; {
			if try(slices.Delete(slices.Clone(best.Ops), from, from+size)) {
				shorter = true
			} else {
				from += size
			}
		}
		if !shorter || size > 1 {
			size /= 2
		}
	}
	for i := 0; i < len(best.Ops); i++ {
		for arg := range best.Ops[i].Args {
			for _, smaller := range []int64{0, best.Ops[i].Args[arg] / 2} {
				if i >= len(best.Ops) || smaller == best.Ops[i].Args[arg] || trials <= 0 {
					break
				}
				ops := slices.Clone(best.Ops)
				ops[i].Args = slices.Clone(ops[i].Args)
				ops[i].Args[arg] = smaller
				if try(ops) {
					break
				}
			}
		}
	}
	return best
}
