package materialize

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/anabranch/anabranch/infra/sorted"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/model"
)

// Previous is an opened earlier generation to continue from. Its tables stay the caller's to close, and
// have to stay open until Compute returns. Of the inputs Compute reads the cut, and the instant that the views are as of.
type Previous struct {
	Inputs model.Inputs
	Counts model.Counts

	Users, Items, Global, Recent *sorted.Reader
}

// Continues says why a generation cannot be computed from an earlier one and the epochs since: no reason
// means that it can, and that the bytes are those of a computation from the start.
func Continues(previous, next model.Inputs) (reasons []string) {
	differ := func(different bool, what string) {
		if different {
			reasons = append(reasons, what)
		}
	}
	differ(previous.Definition != next.Definition, "the feature definitions changed")
	differ(previous.Validator != next.Validator, "the validity rules changed")
	differ(previous.Format != next.Format, "the format of generations changed")
	differ(!sameWeights(previous.Weights, next.Weights), "the weights of event types changed")
	differ(previous.TopicID != next.TopicID, "the topic was created anew")
	differ(!slices.Equal(previous.Imports, next.Imports), "the imported files changed")
	differ(previous.AsOf.After(next.AsOf), "it is as of a later instant")
	differ(previous.CutN >= next.CutN, "its cut is not earlier")
	for i, x := range previous.Indexes {
		if i >= len(next.Indexes) || next.Indexes[i].Epoch != x.Epoch || next.Indexes[i].SHA256 != x.SHA256 {
			reasons = append(reasons, fmt.Sprintf("the archive of epoch %d changed", x.Epoch))
			break
		}
	}
	return reasons
}

func sameWeights(a, b model.Weights) bool {
	return maps.Equal(a.ByType, b.ByType) && a.Default == b.Default && a.Rating == b.Rating && a.RatingZero == b.RatingZero
}

// check proves that the tables are those of the counts.
func (p *Previous) check() error {
	for _, t := range []struct {
		name  string
		table *sorted.Reader
		rows  int64
	}{{"user", p.Users, p.Counts.Users}, {"item", p.Items, p.Counts.Items}, {"global", p.Global, 1}, {"recent", p.Recent, -1}} {
		if t.table == nil {
			return fmt.Errorf("previous generation: the table %s is not open", t.name)
		}
		if n := t.table.Rows(); t.rows >= 0 && n != t.rows {
			return fmt.Errorf("previous generation: the table %s has %d rows, the manifest counts %d", t.name, n, t.rows)
		}
	}
	return nil
}

// user returns what is stored of a user: nil for nothing. Views are large and not verified here: the merge reads every row of
// the table they are from, verified, before a table made of them is closed (engine.mergeInto).
func (p *Previous) user(id []byte) (value, recent []byte, err error) {
	value, _, err = p.Users.Peek(id)
	if err != nil {
		return nil, nil, fmt.Errorf("previous generation: %w", err)
	}
	recent, _, err = p.Recent.Get(id)
	if err != nil {
		return nil, nil, fmt.Errorf("previous generation: %w", err)
	}
	return value, recent, nil
}

// blame returns why a member's view could not be continued: the damage of its row, where that is the reason.
func blame(table *sorted.Reader, id []byte, err error) error {
	if _, _, damage := table.Get(id); damage != nil {
		return fmt.Errorf("previous generation: %w", damage)
	}
	return err
}

// item returns the view that is stored of an item, nil for none; it is not verified either.
func (p *Previous) item(id []byte) ([]byte, error) {
	view, _, err := p.Items.Peek(id)
	if err != nil {
		return nil, fmt.Errorf("previous generation: %w", err)
	}
	return view, nil
}

// global returns the view of the whole.
func (p *Previous) global() ([]byte, error) {
	view, found, err := p.Global.Get([]byte(feature.GlobalID))
	if err == nil && !found {
		err = errors.New("the global view is missing")
	}
	if err != nil {
		return nil, fmt.Errorf("previous generation: %w", err)
	}
	return view, nil
}

// since returns the files of a source that a generation with the cut n does not hold.
func (s Source) since(n int64) []File {
	i := slices.IndexFunc(s.Files, func(f File) bool { return f.Epoch >= n })
	if i < 0 {
		return nil
	}
	return s.Files[i:]
}

// loadPrevious puts the items of the previous generation into the dictionary.
func (e *engine) loadPrevious() error {
	if e.previous == nil {
		return nil
	}
	if err := e.previous.check(); err != nil {
		return err
	}
	it := e.previous.Items.Iter()
	for it.Next() {
		n, _ := e.items.add(hashText(it.Key()), it.Key())
		e.previousRank = append(e.previousRank, n) // its rank replaces it when all items are known
	}
	return it.Err()
}

// rankPrevious turns the numbers of the previous generation's items into ranks, and notes that these
// items are known.
func (e *engine) rankPrevious() {
	for i, n := range e.previousRank {
		e.known.note(int64(n), longAgo)
		e.previousRank[i] = e.rank[n]
	}
}
