package model

import (
	"slices"

	"github.com/anabranch/anabranch/schemas/api"
)

// DefaultRetain is how many generations stay ready for a rollback, the current one included.
const DefaultRetain = 2

// Pointer says which generation is served and which ones a rollback may go to. It moves by
// compare-and-swap only. Nonce tells a writer whose answer got lost whether the write was its own.
type Pointer struct {
	Sequence int64      `json:"sequence"`
	Nonce    string     `json:"nonce"`
	Current  string     `json:"current"`
	Retained []Retained `json:"retained"` // by cut, ascending
	Floor    int64      `json:"floor"`    // the least retained cut; never falls
}

// Retained is a generation that may be served.
type Retained struct {
	ID   string `json:"id"`
	CutN int64  `json:"cut_n"`
}

// CurrentCut returns the cut of the current generation, 0 when there is none.
func (p Pointer) CurrentCut() int64 {
	for _, r := range p.Retained {
		if r.ID == p.Current {
			return r.CutN
		}
	}
	return 0
}

// Publish returns the pointer after generation r becomes current: its cut must be above the current
// one's. At most retain generations stay, the one that was current among them before any that was
// rolled back from; the floor rises to the least of them.
func (p Pointer) Publish(r Retained, retain int, nonce string) (Pointer, error) {
	if p.Current == r.ID {
		return p, nil
	}
	if p.Current != "" && r.CutN <= p.CurrentCut() {
		return Pointer{}, api.Errorf(api.Superseded, "publish %s: its cut %d is not above cut %d of the current generation %s", r.ID, r.CutN, p.CurrentCut(), p.Current)
	}
	if r.CutN < p.Floor {
		return Pointer{}, api.Errorf(api.Superseded, "publish %s: its cut %d is below the floor %d; live state no longer reaches back to it", r.ID, r.CutN, p.Floor)
	}
	kept := slices.DeleteFunc(slices.Clone(p.Retained), func(o Retained) bool { return o.CutN >= r.CutN })
	for len(kept) > max(retain-1, 0) {
		drop := slices.IndexFunc(kept, func(o Retained) bool { return o.ID != p.Current })
		kept = slices.Delete(kept, max(drop, 0), max(drop, 0)+1)
	}
	kept = append(kept, r)
	return p.moved(r.ID, kept, nonce), nil
}

// MoveTo returns the pointer after current moves to another retained generation: a rollback, or the
// way back from one. An empty id means the retained one just below the current.
func (p Pointer) MoveTo(id, nonce string) (Pointer, error) {
	if id == "" {
		for _, r := range p.Retained {
			if r.CutN < p.CurrentCut() {
				id = r.ID
			}
		}
		if id == "" {
			return Pointer{}, api.Errorf(api.NotFound, "roll back: no retained generation is older than %q", p.Current)
		}
	}
	if !slices.ContainsFunc(p.Retained, func(r Retained) bool { return r.ID == id }) {
		return Pointer{}, api.Errorf(api.NotFound, "generation %s is not retained; retained are %v", api.Clip(id), p.ids())
	}
	if id == p.Current {
		return p, nil
	}
	return p.moved(id, slices.Clone(p.Retained), nonce), nil
}

func (p Pointer) moved(current string, kept []Retained, nonce string) Pointer {
	return Pointer{
		Sequence: p.Sequence + 1, Nonce: nonce, Current: current, Retained: kept,
		Floor: max(p.Floor, kept[0].CutN),
	}
}

func (p Pointer) ids() []string {
	ids := make([]string, len(p.Retained))
	for i, r := range p.Retained {
		ids[i] = r.ID
	}
	return ids
}
