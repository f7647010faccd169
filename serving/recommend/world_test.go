package recommend

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/anabranch/anabranch/infra/simd/rowsolve"
)

// world is a small shop with a planted taste: each user loves two categories and browses the rest, popular items more.
type world struct {
	users, items, categories, dim int
	params                        rowsolve.Params
	history                       [][]int32 // distinct items of each user, ascending
	weights                       [][]float32
	loves                         [][2]int
}

func newWorld(users, items, categories, perUser, dim int, seed uint64) *world {
	w := &world{users: users, items: items, categories: categories, dim: dim, params: rowsolve.Params{Alpha0: .1, Lambda: .01, Nu: 1}}
	rng := rand.New(rand.NewPCG(seed, 1))
	perCategory := items / categories
	for range users {
		loves := [2]int{rng.IntN(categories), rng.IntN(categories)}
		counts := make(map[int32]float32, perUser)
		for range perUser/2 + rng.IntN(perUser) {
			c := rng.IntN(categories)
			if rng.Float64() < .75 {
				c = loves[rng.IntN(2)]
			}
			rank := int(float64(perCategory) * math.Pow(rng.Float64(), 2))
			counts[w.item(c, rank)]++
		}
		var row []int32
		var weights []float32
		for i := range int32(items) {
			if n := counts[i]; n > 0 {
				row, weights = append(row, i), append(weights, n)
			}
		}
		w.history, w.weights, w.loves = append(w.history, row), append(w.weights, weights), append(w.loves, loves)
	}
	return w
}

// item returns the row of a category's item of some popularity; rows of one category lie apart.
func (w *world) item(category, rank int) int32 { return int32(rank*w.categories + category) }

func (w *world) category(item int32) int { return int(item) % w.categories }

// train is a tiny ALS of half-steps: users, items, …, users.
func (w *world) train(tb testing.TB, epochs int) (users, items []float32) {
	tb.Helper()
	rng := rand.New(rand.NewPCG(9, 9))
	items = make([]float32, w.items*w.dim)
	for i := range items {
		items[i] = float32(rng.NormFloat64() * .1 / math.Sqrt(float64(w.dim)))
	}
	users = make([]float32, w.users*w.dim)
	byItem, itemWeights := make([][]int32, w.items), make([][]float32, w.items)
	for u, row := range w.history {
		for k, i := range row {
			byItem[i], itemWeights[i] = append(byItem[i], int32(u)), append(itemWeights[i], w.weights[u][k])
		}
	}
	for range epochs {
		w.halfStep(tb, users, items, w.history, w.weights)
		w.halfStep(tb, items, users, byItem, itemWeights)
	}
	w.halfStep(tb, users, items, w.history, w.weights)
	return users, items
}

func (w *world) halfStep(tb testing.TB, dst, factors []float32, rows [][]int32, weights [][]float32) {
	tb.Helper()
	gram, err := rowsolve.NewGram(factors, w.dim, nil)
	if err != nil {
		tb.Fatal(err)
	}
	solver := rowsolve.NewSolver(w.dim)
	for r, row := range rows {
		if err := solver.Solve(dst[r*w.dim:(r+1)*w.dim], factors, gram, row, weights[r], w.params); err != nil {
			tb.Fatal(err)
		}
	}
}

// recommender trains and returns a recommender for users u0… and items i0….
func (w *world) recommender(tb testing.TB, epochs int) *Recommender {
	tb.Helper()
	m := Model{Dim: w.dim, Params: w.params, Popularity: make([]float32, w.items)}
	users, items := w.train(tb, epochs)
	m.ItemVectors = items
	rows := map[string]int{}
	for u := range w.users {
		rows[fmt.Sprint("u", u)] = u
	}
	m.UserVector = func(id string) ([]float32, bool) {
		row, ok := rows[id]
		return users[row*w.dim : (row+1)*w.dim], ok
	}
	var catalog []Item
	for i := range int32(w.items) {
		m.ItemIDs = append(m.ItemIDs, fmt.Sprint("i", i))
		catalog = append(catalog, Item{ID: m.ItemIDs[i], Category: fmt.Sprint("c", w.category(i)), Available: true})
	}
	for _, row := range w.history {
		for _, i := range row {
			m.Popularity[i]++
		}
	}
	r, err := New(m, catalog, DefaultTuning())
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

const (
	hour = int64(3_600_000)
	now  = 1_800_000_000_000
)

// past returns a user's history as the batch view has it: all of it days ago.
func (w *world) past(user int) (out []Interaction) {
	for k, i := range w.history[user] {
		out = append(out, Interaction{Item: fmt.Sprint("i", i), Weight: w.weights[user][k], Time: now - 48*hour})
	}
	return out
}
