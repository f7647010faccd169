package hashagg

// useSlots makes the table find rows by hash from now on; those that it has are still to be entered.
func (t *Table) useSlots() {
	size := 1 << firstSlotsLog
	t.dense, t.shift = nil, 32-firstSlotsLog
	for size < 2*(t.groups+vector) {
		size *= 2
		t.shift--
	}
	t.slots = make([]uint64, size)
}

// enter adds a row to the slots, which have room.
func (t *Table) enter(ref uint32) {
	tag := t.hash(t.row(ref)) << t.skip >> 32
	at := tag >> t.shift
	for t.slots[at] != 0 {
		at = (at + 1) & uint64(len(t.slots)-1)
	}
	t.slots[at] = tag<<32 | uint64(ref+1)
}

// hash returns the hash of a row's keys.
func (t *Table) hash(row []uint64) (h uint64) {
	for i := range t.spec.Keys {
		part := mix(row[i]^seed0, seed1)
		if in := t.texts[i]; in != nil {
			part = in.hashes[row[i]]
		}
		if i == 0 {
			h = part
		} else {
			h = mix(h^seed2, part^seed1)
		}
	}
	return h
}

// hashFind sets refs to the rows of the vector's keys from..n.
func (t *Table) hashFind(from, n int) error {
	if needed := (t.groups + n - from) * 2; needed > len(t.slots) {
		if needed > 1<<maxSlotLog {
			return errGroups
		}
		t.slots, t.shift = grow(t.slots, t.shift, needed)
	}
	k := len(t.spec.Keys)
	for j := from; j < n; j++ {
		t.hashes[j] = t.hash(t.keys[j*k : j*k+k])
	}
	t.touch(from, n)
	slots := t.slots
	for j := from; j < n; j++ {
		tag := t.hashes[j] << t.skip >> 32
		key := t.keys[j*k : j*k+k]
		for at := tag >> t.shift; ; at++ {
			at &= uint64(len(slots) - 1)
			s := slots[at]
			if s == 0 {
				t.refs[j] = t.insert(key)
				slots[at] = tag<<32 | uint64(t.refs[j]+1)
				break
			}
			if s>>32 == tag && t.equal(uint32(s)-1, key) {
				t.refs[j] = uint32(s) - 1
				break
			}
		}
	}
	return nil
}

// touch loads the slots of the vector, then the rows that they name, each in a loop without branches that depend on
// what was loaded, so that the cache misses overlap.
func (t *Table) touch(from, n int) {
	slots, sink := t.slots, t.sink
	for j := from; j < n; j++ {
		t.refs[j] = uint32(slots[t.hashes[j]<<t.skip>>32>>t.shift&uint64(len(slots)-1)])
	}
	for _, ref := range t.refs[from:n] {
		if ref > 0 {
			sink ^= t.row(ref - 1)[0]
		}
	}
	t.sink = sink
}

// grow returns slots of at least the wanted number. Slots are ordered by hash, so it is one pass over
// both arrays.
func grow(old []uint64, shift uint, wanted int) ([]uint64, uint) {
	size := len(old)
	for size < wanted {
		size *= 2
		shift--
	}
	slots := make([]uint64, size)
	for _, s := range old {
		if s == 0 {
			continue
		}
		at := s >> 32 >> shift
		for slots[at] != 0 {
			at = (at + 1) & uint64(size-1)
		}
		slots[at] = s
	}
	return slots, shift
}
