package nightly

import (
	"context"
	"fmt"
	"math"

	"github.com/anabranch/anabranch/batch/eval"
	"github.com/anabranch/anabranch/batch/train"
	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/model"
)

// history is the training matrix of a generation: for each user and item of a positive weight, the sum
// of the weights and the last time.
type history struct {
	users, items []string
	all          []eval.Interaction
}

func (h *history) addItem(id, _ []byte) error {
	h.items = append(h.items, string(id))
	return nil
}

// addUser decodes a row of the user view; all items are known.
func (h *history) addUser(id, value []byte) error {
	_, history, err := artifact.SplitUser(value)
	if err != nil {
		return err
	}
	u := len(h.users)
	h.users = append(h.users, string(id))
	row, err := model.DecodeHistory(history)
	if err != nil {
		return fmt.Errorf("%s, row %d: %w", model.UserViewFile, u, err)
	}
	for _, x := range row {
		if int(x.Item) >= len(h.items) {
			return fmt.Errorf("%s, row %d: item %d of %d", model.UserViewFile, u, x.Item, len(h.items))
		}
		if x.Weight > 0 { // 0 is an item that was seen but not liked
			h.all = append(h.all, eval.Interaction{User: int32(u), Item: int32(x.Item), Weight: x.Weight, Time: x.Last})
		}
	}
	return nil
}

// split holds out the last item of some users.
func (h *history) split(seed uint64) (kept train.CSR, cases []eval.Case, err error) {
	p := eval.DefaultHoldout(seed)
	p.Key = func(user int32) uint64 { return eval.UserKey(h.users[user]) }
	interactions, cases, err := eval.Holdout(h.all, p)
	if err != nil {
		return train.CSR{}, nil, err
	}
	kept, err = eval.Matrix(interactions, len(h.users), len(h.items))
	return kept, cases, err
}

// popularity returns, for each item, how many users have a positive weight with it.
func (h *history) popularity() []float32 {
	out := make([]float32, len(h.items))
	for _, x := range h.all {
		out[x.Item]++
	}
	return out
}

// vectors are a model.
type vectors struct {
	users, items []float32
	dim          int
}

// train learns item vectors from what is not held out, so that evaluation is about these very vectors,
// then solves every user's vector on the complete history.
func (h *history) train(ctx context.Context, p model.TrainParams, threads int, progress func(done, total int64)) (vectors, error) {
	if len(h.all) == 0 {
		return vectors{}, api.Errorf(api.Gate, "no event has a positive weight: there is nothing to learn from; check the weights of event types")
	}
	kept, _, err := h.split(p.Seed)
	if err != nil {
		return vectors{}, err
	}
	params := trainParams(p, threads)
	m, err := train.Train(ctx, kept, params, func(e train.Epoch) { progress(int64(e.Number), int64(e.Of)) })
	if err != nil {
		return vectors{}, err
	}
	complete, err := eval.Matrix(h.all, len(h.users), len(h.items))
	if err != nil {
		return vectors{}, err
	}
	users, err := train.SolveUsers(ctx, complete, m.Items, params)
	if err != nil {
		return vectors{}, fmt.Errorf("solve users on the complete history: %w", err)
	}
	return vectors{users: users, items: m.Items, dim: m.Dim}, nil
}

func trainParams(p model.TrainParams, threads int) train.Params {
	return train.Params{Dim: p.Dim, Epochs: p.Epochs, Alpha0: p.Alpha0, Lambda: p.Lambda, Nu: p.Nu, Seed: p.Seed, Threads: threads}
}

// check is the gate on a model: it must be finite and not nothing.
func (v vectors) check() error {
	for _, side := range []struct {
		name string
		data []float32
	}{{"user", v.users}, {"item", v.items}} {
		var largest float64
		for i, x := range side.data {
			if a := math.Abs(float64(x)); a <= math.MaxFloat32 {
				largest = max(largest, a)
				continue
			}
			return api.Errorf(api.Gate, "the %s vector of row %d has the component %v: training diverged; try another regularisation", side.name, i/v.dim, x)
		}
		if largest == 0 {
			return api.Errorf(api.Gate, "all %s vectors are zero: the model recommends nothing", side.name)
		}
	}
	return nil
}

// listLength is the length of the lists that are evaluated.
const listLength = 20

// evaluate ranks the held-out items, beside the popularity baseline.
func (h *history) evaluate(ctx context.Context, p model.TrainParams, v vectors) (map[string]float64, error) {
	kept, cases, err := h.split(p.Seed)
	if err != nil {
		return nil, err
	}
	scorer, err := eval.NewFoldInScorer(v.items, v.dim, kept, trainParams(p, 1).Row())
	if err != nil {
		return nil, err
	}
	c, err := eval.Compare(ctx, scorer, kept, cases, []int{listLength})
	if err != nil {
		return nil, err
	}
	at, popular := c.Model.At[0], c.Popularity.At[0]
	return map[string]float64{
		MetricCases: float64(len(cases)), MetricRecall: at.Recall, MetricNDCG: at.NDCG, MetricHR: at.HR,
		MetricMRR: at.MRR, MetricCoverage: at.Coverage, MetricPopularityHR: popular.HR,
	}, nil
}

// The metrics of a generation: means over the held-out users, for lists of 20. Batch/eval defines them.
const (
	MetricCases        = "cases" // held-out users; all others are 0 when there are none
	MetricRecall       = "recall20"
	MetricNDCG         = "ndcg20"
	MetricHR           = "hr20"
	MetricMRR          = "mrr20"
	MetricCoverage     = "coverage20"
	MetricPopularityHR = "popularity_hr20"
)

// gateMetrics refuses a model that recommends nothing to the users it was tried on.
func gateMetrics(m map[string]float64) error {
	for name, x := range m {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return api.Errorf(api.Gate, "metric %s is %v", name, x)
		}
	}
	if m[MetricCases] > 0 && m[MetricCoverage] <= 0 {
		return api.Errorf(api.Gate, "the model recommended nothing to any of %v held-out users", m[MetricCases])
	}
	return nil
}
