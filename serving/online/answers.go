package online

import (
	"context"
	"errors"

	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/serving/recommend"
)

// Recommend ranks items for a user. Mode batch leaves out all live state, mode live everything that
// the user did before the cut; the answer shows what each layer alone would know.
func (s *Service) Recommend(ctx context.Context, q Request) (Recommendations, error) {
	n := s.begin()
	if q.Mode == "" {
		q.Mode = recommend.ModeMerged
	}
	in := recommend.Request{
		User: q.User, N: q.N, ExcludeSeen: q.ExcludeSeen, Categories: q.Categories, Mode: q.Mode, Now: int64(n.at),
		Trending: s.trending.get(ctx, n.g).lists[q.Mode],
	}
	if q.Mode != recommend.ModeLive {
		n.inTime() // for the trending list
		var err error
		if in.History, err = n.g.history(q.User); err != nil {
			n.because(reasonHistory)
		}
	}
	if q.Mode != recommend.ModeBatch {
		r := s.live.user(ctx, n.g, q.User)
		var whole bool
		in.Live, whole = n.g.interactions(n.at, &r)
		if n.joined(r); !whole {
			n.incomplete(n.g.plans.limit())
		}
	}
	found, err := n.g.recommender.Recommend(in)
	if err != nil {
		return Recommendations{}, api.Errorf(api.Invalid, "%w", err)
	}
	if found.FoldIn != nil {
		n.because(reasonVector)
	}
	items := s.describe(n, found.Items)
	return Recommendations{UserID: q.User, Mode: q.Mode, Items: items, Vector: found.Vector, Receipt: s.finish(n)}, nil
}

// Similar returns the items most like one item; api.NotFound when nobody knows it. No live state goes
// into it.
func (s *Service) Similar(_ context.Context, item string, count int) (SimilarItems, error) {
	n := s.begin()
	found, err := n.g.recommender.Similar(item, count)
	if errors.Is(err, recommend.ErrUnknownItem) {
		return SimilarItems{}, api.Errorf(api.NotFound, "item %s is neither in the catalogue nor in generation %q", api.Clip(item), n.g.id())
	}
	if err != nil {
		return SimilarItems{}, err
	}
	items := s.describe(n, found)
	return SimilarItems{ItemID: item, Items: items, Receipt: s.finish(n)}, nil
}

// Trending returns the items that most was done with, of the given categories or of all.
func (s *Service) Trending(ctx context.Context, count int, categories []string) (TrendingItems, error) {
	n := s.begin()
	t := s.trending.get(ctx, n.g)
	n.at = t.at
	n.views(nil)
	n.joined(t.reading)
	items := s.describe(n, n.g.recommender.Trending(t.lists[recommend.ModeMerged], count, categories))
	return TrendingItems{Items: items, Receipt: s.finish(n)}, nil
}

// describe adds the current attributes.
func (s *Service) describe(n *notes, list []recommend.Scored) []Item {
	if s.catalog.items.source() == fromNowhere && len(s.catalog.seeds) > 0 {
		n.because(reasonNoCatalog)
	}
	out := make([]Item, len(list))
	for i, x := range list {
		out[i] = Item{Scored: x, Attributes: s.catalog.attributes(x.ItemID)}
	}
	return out
}

// Features returns the values of all features of a user now. A user whom nobody knows has the values
// of one who never did anything.
func (s *Service) Features(ctx context.Context, user string) (UserFeatures, error) {
	n := s.begin()
	view, err := n.g.userView(user)
	n.views(err)
	r := s.live.user(ctx, n.g, user)
	features := n.g.values(n.g.plans.user, n.at, view, &r)
	n.joined(r)
	profile, _ := s.catalog.users.get(user)
	return UserFeatures{UserID: user, Features: features, Attributes: profile.Attributes, Receipt: s.finish(n)}, nil
}

// ItemFeatures returns the values of all features of an item now; api.NotFound when it is certain that
// nobody knows it.
func (s *Service) ItemFeatures(ctx context.Context, item string) (ItemFeatures, error) {
	n := s.begin()
	view, err := n.g.itemView(item)
	n.views(err)
	r := s.live.item(ctx, n.g, item)
	features := n.g.values(n.g.plans.item, n.at, view, &r)
	n.joined(r)
	record, known := s.catalog.items.get(item)
	if receipt := n.receipt(); !known && !n.g.knows(item) && view == nil && r.epochs == 0 && !receipt.Degraded {
		return ItemFeatures{}, api.Errorf(api.NotFound, "item %s is neither in the catalogue nor in any event", api.Clip(item))
	}
	return ItemFeatures{ItemID: item, Features: features, Attributes: record.Attributes, Receipt: s.finish(n)}, nil
}
