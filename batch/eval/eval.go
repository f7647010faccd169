package eval

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/anabranch/anabranch/batch/train"
	"github.com/anabranch/anabranch/infra/simd/topk"
)

// Scorer scores every item for a user.
type Scorer interface {
	// Score writes the score of item i to dst[i], for every i; higher is better, −Inf means never.
	Score(user int32, dst []float32) error
}

// Metrics are means over cases, for lists of length K. Recall divides by the number of relevant items; NDCG has binary
// gains and divides by the best possible DCG of a list of length K; MRR is 1 / rank of the first hit, or 0; Coverage is
// the fraction of all items that stand in at least one list.
type Metrics struct {
	K        int     `json:"k"`
	Recall   float64 `json:"recall"`
	NDCG     float64 `json:"ndcg"`
	HR       float64 `json:"hr"`
	MRR      float64 `json:"mrr"`
	Coverage float64 `json:"coverage"`
}

// Report is the result of one scorer.
type Report struct {
	Cases int       `json:"cases"`
	Items int       `json:"items"`
	At    []Metrics `json:"at"`
}

// Comparison sets a model beside the popularity baseline, on the same cases.
type Comparison struct {
	Model      Report `json:"model"`
	Popularity Report `json:"popularity"`
}

// Compare evaluates a model and the popularity baseline of seen, which is also what is excluded.
func Compare(ctx context.Context, model Scorer, seen train.CSR, cases []Case, ks []int) (Comparison, error) {
	m, err := Evaluate(ctx, model, seen, cases, ks)
	if err != nil {
		return Comparison{}, fmt.Errorf("evaluating the model: %w", err)
	}
	p, err := Evaluate(ctx, NewPopularity(seen), seen, cases, ks)
	if err != nil {
		return Comparison{}, fmt.Errorf("evaluating popularity: %w", err)
	}
	return Comparison{Model: m, Popularity: p}, nil
}

// Evaluate ranks all items for each case and returns metrics for each length in ks. seen holds each user's known
// history (users × items): its items are not ranked. No cases give zeros.
func Evaluate(ctx context.Context, s Scorer, seen train.CSR, cases []Case, ks []int) (Report, error) {
	if err := checkRequest(seen, cases, ks); err != nil {
		return Report{}, err
	}
	r := Report{Cases: len(cases), Items: seen.Cols, At: make([]Metrics, len(ks))}
	for i, k := range ks {
		r.At[i].K = k
	}
	ranker := ranker{scorer: s, seen: seen, scores: make([]float32, seen.Cols)}
	firstRank := make([]int, seen.Cols) // the best rank any list gave an item; 0 means none
	for _, c := range cases {
		if err := ctx.Err(); err != nil {
			return Report{}, err
		}
		list, err := ranker.rank(c.User, slices.Max(ks))
		if err != nil {
			return Report{}, fmt.Errorf("scoring user row %d: %w", c.User, err)
		}
		for i := range r.At {
			r.At[i].add(list, c.Relevant)
		}
		for rank, e := range list {
			if f := firstRank[e.Index]; f == 0 || rank+1 < f {
				firstRank[e.Index] = rank + 1
			}
		}
	}
	for i := range r.At {
		r.At[i].finish(len(cases), firstRank)
	}
	return r, nil
}

func checkRequest(seen train.CSR, cases []Case, ks []int) error {
	if len(ks) == 0 || slices.Min(ks) < 1 {
		return fmt.Errorf("list lengths %v: must be one or more positive numbers", ks)
	}
	for i, c := range cases {
		if c.User < 0 || int(c.User) >= seen.Rows || len(c.Relevant) == 0 {
			return fmt.Errorf("case %d of user row %d with %d relevant items: needs a row in [0, %d) and at least one item",
				i, c.User, len(c.Relevant), seen.Rows)
		}
	}
	return nil
}

// ranker reuses its memory from case to case.
type ranker struct {
	scorer Scorer
	seen   train.CSR
	scores []float32
	heap   topk.Heap
}

// rank returns the best k unseen items, best first; the slice is valid until the next call.
func (r *ranker) rank(user int32, k int) ([]topk.Entry, error) {
	if err := r.scorer.Score(user, r.scores); err != nil {
		return nil, err
	}
	seen, _ := r.seen.Row(int(user))
	r.heap.Reset(k)
	for i, score := range r.scores {
		if math.IsNaN(float64(score)) {
			return nil, fmt.Errorf("the score of item row %d is NaN", i)
		}
		if len(seen) > 0 && seen[0] == int32(i) {
			seen = seen[1:]
			continue
		}
		if !math.IsInf(float64(score), -1) {
			r.heap.Offer(int32(i), score)
		}
	}
	return r.heap.Sorted(), nil
}

// add counts one list.
func (m *Metrics) add(list []topk.Entry, relevant []int32) {
	var hits, dcg, ideal, reciprocal float64
	for rank, e := range list[:min(m.K, len(list))] {
		if _, ok := slices.BinarySearch(relevant, e.Index); !ok {
			continue
		}
		hits++
		dcg += 1 / math.Log2(float64(rank)+2)
		if reciprocal == 0 {
			reciprocal = 1 / float64(rank+1)
		}
	}
	for rank := range min(m.K, len(relevant)) {
		ideal += 1 / math.Log2(float64(rank)+2)
	}
	m.Recall += hits / float64(len(relevant))
	m.NDCG += dcg / ideal
	m.HR += min(hits, 1)
	m.MRR += reciprocal
}

// finish turns sums into means.
func (m *Metrics) finish(cases int, firstRank []int) {
	n := float64(max(cases, 1))
	m.Recall, m.NDCG, m.HR, m.MRR = m.Recall/n, m.NDCG/n, m.HR/n, m.MRR/n
	covered := 0
	for _, f := range firstRank {
		if f > 0 && f <= m.K {
			covered++
		}
	}
	m.Coverage = float64(covered) / float64(max(len(firstRank), 1))
}
