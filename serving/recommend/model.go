package recommend

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/anabranch/anabranch/infra/simd"
	"github.com/anabranch/anabranch/infra/simd/rowsolve"
	"github.com/anabranch/anabranch/infra/simd/topk"
)

// Model is what a generation holds. It is used in place and must not change afterwards. The zero value is a model that
// knows nothing: answers then come from trending and the catalogue.
type Model struct {
	ItemIDs     []string
	ItemVectors []float32 // row-major, Dim numbers for each of ItemIDs; a row of zeros means no vector
	Dim         int
	Params      rowsolve.Params // with which the vectors were trained
	Popularity  []float32       // for each of ItemIDs; nil means 0 for all
	// UserVector returns the trained vector of a user, of dimension Dim; nil means that none are known.
	UserVector func(id string) (vector []float32, ok bool)
}

// Item is a record of the catalogue.
type Item struct {
	ID        string
	Category  string // empty means none
	Available bool
}

// ErrUnknownItem says that neither model nor catalogue know an item.
var ErrUnknownItem = errors.New("unknown item")

// Recommender answers requests for one model and one catalogue.
type Recommender struct {
	model  Model
	tuning Tuning
	gram   *rowsolve.Gram // nil without vectors
	norms  []float32      // length of each item vector; 0 means no vector

	// Of every item: those of the model, then those that only the catalogue knows, by id.
	ids         []string
	index       map[string]int32
	available   []bool
	category    []int32 // of categories; 0 is no category
	categories  map[string]int32
	byPop       []int32 // all items, most popular first
	openToAnyID bool    // there is no catalogue

	scratch *sync.Pool
}

// New checks and indexes a model and a catalogue. Errors name the item they are about.
func New(m Model, catalog []Item, t Tuning) (*Recommender, error) {
	if err := t.Validate(); err != nil {
		return nil, fmt.Errorf("tuning: %w", err)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	r := &Recommender{model: m, tuning: t, norms: make([]float32, len(m.ItemIDs))}
	if len(m.ItemIDs) > 0 {
		gram, err := rowsolve.NewGram(m.ItemVectors, m.Dim, nil)
		if err != nil {
			return nil, fmt.Errorf("model: item vectors: %w", err)
		}
		r.gram = gram
	}
	for i := range r.norms {
		row := m.row(int32(i))
		r.norms[i] = float32(math.Sqrt(float64(simd.Dot(row, row))))
	}
	return r.WithCatalog(catalog)
}

// WithCatalog returns a recommender for the same model and another catalogue; the model's part is shared.
func (r *Recommender) WithCatalog(catalog []Item) (*Recommender, error) {
	n := &Recommender{model: r.model, tuning: r.tuning, gram: r.gram, norms: r.norms, openToAnyID: len(catalog) == 0}
	n.scratch = &sync.Pool{New: func() any { return new(scratch) }}
	if err := n.indexItems(catalog); err != nil {
		return nil, err
	}
	n.byPop = make([]int32, len(n.ids))
	for i := range n.byPop {
		n.byPop[i] = int32(i)
	}
	slices.SortStableFunc(n.byPop, func(a, b int32) int { return cmp.Compare(n.popularity(b), n.popularity(a)) })
	return n, nil
}

// Len returns how many items model and catalogue know together.
func (r *Recommender) Len() int { return len(r.ids) }

func (r *Recommender) indexItems(catalog []Item) error {
	r.ids = slices.Clone(r.model.ItemIDs)
	r.index = make(map[string]int32, max(len(r.ids), len(catalog)))
	for i, id := range r.ids {
		if _, twice := r.index[id]; twice {
			return fmt.Errorf("model: item %q appears twice", id)
		}
		r.index[id] = int32(i)
	}
	sorted := slices.SortedFunc(slices.Values(catalog), func(a, b Item) int { return cmp.Compare(a.ID, b.ID) })
	for k, it := range sorted {
		if k > 0 && sorted[k-1].ID == it.ID {
			return fmt.Errorf("catalogue: item %q appears twice", it.ID)
		}
		if _, known := r.index[it.ID]; !known {
			r.index[it.ID] = int32(len(r.ids))
			r.ids = append(r.ids, it.ID)
		}
	}
	r.available, r.category = make([]bool, len(r.ids)), make([]int32, len(r.ids))
	for i := range r.available {
		r.available[i] = true
	}
	r.categories = map[string]int32{"": 0}
	for _, it := range sorted {
		i := r.index[it.ID]
		c, ok := r.categories[it.Category]
		if !ok {
			c = int32(len(r.categories))
			r.categories[it.Category] = c
		}
		r.available[i], r.category[i] = it.Available, c
	}
	return nil
}

func (r *Recommender) popularity(i int32) float32 {
	if int(i) < len(r.model.Popularity) {
		return r.model.Popularity[i]
	}
	return 0
}

func (m Model) row(i int32) []float32 {
	at := int(i) * m.Dim
	return m.ItemVectors[at : at+m.Dim : at+m.Dim]
}

func (m Model) check() error {
	switch {
	case len(m.ItemIDs) > 0 && m.Dim < 1:
		return fmt.Errorf("dimension %d with %d items", m.Dim, len(m.ItemIDs))
	case len(m.ItemVectors) != len(m.ItemIDs)*m.Dim:
		return fmt.Errorf("%d floats of item vectors for %d items of dimension %d", len(m.ItemVectors), len(m.ItemIDs), m.Dim)
	case m.Popularity != nil && len(m.Popularity) != len(m.ItemIDs):
		return fmt.Errorf("%d popularities for %d items", len(m.Popularity), len(m.ItemIDs))
	}
	for i, p := range m.Popularity {
		if !(p >= 0 && p <= math.MaxFloat32) {
			return fmt.Errorf("popularity of item %q is %v: must be finite and not negative", m.ItemIDs[i], p)
		}
	}
	return m.Params.Validate()
}

// user returns the trained vector of a user, or nil.
func (m Model) user(id string) []float32 {
	if m.UserVector == nil || m.Dim == 0 {
		return nil
	}
	vector, ok := m.UserVector(id)
	if !ok || len(vector) != m.Dim {
		return nil
	}
	return vector
}

// scratch is the memory of one request, used again by later ones.
type scratch struct {
	out     []bool // by item: not eligible, or already in the list
	scores  []float32
	heap    topk.Heap
	solver  *rowsolve.Solver
	vector  []float32
	entries []entry
	items   []int32
	weights []float32
}
