package sim

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/anabranch/anabranch/batch/materialize"
	"github.com/anabranch/anabranch/batch/publish"
	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tile/oracle"
	"github.com/anabranch/anabranch/stream/archive"
)

// generation is one that was stored.
type generation struct {
	manifest  model.Manifest
	catalogue *catalogue
	files     *artifact.Generation
}

// doNight makes and publishes the generation of the last mark that is archived everywhere. Way chooses an
// earlier generation to continue from, or none; again computes it another way too.
func (w *world) doNight(way int, again bool) error {
	n, cut, err := w.archivedMark()
	if err != nil || n == 0 {
		return err
	}
	g, err := w.materialize(n, cut, way)
	if err != nil || g == nil {
		return err
	}
	if again {
		if _, err := w.materialize(n, cut, way+1); err != nil {
			return fmt.Errorf("the same night again: %w", err)
		}
	}
	return w.moved(w.publisher().Publish(w.ctx, g.manifest))
}

// archivedMark returns the last mark whose epoch the archive has closed.
func (w *world) archivedMark() (n int64, cut model.Cut, err error) {
	for n := int64(len(w.marks)); n > 0; n-- {
		x, _, err := archive.ReadIndex(w.ctx, w.bucket, n-1)
		if err != nil {
			return 0, nil, err
		}
		if len(x.Missing(int32(len(w.log)))) == 0 {
			return n, x.End, nil
		}
	}
	w.note("no mark is archived")
	return 0, nil, nil
}

// materialize computes and stores the generation of a mark; nil where there is no event. A generation
// that exists already has to get the same bytes.
func (w *world) materialize(n int64, cut model.Cut, way int) (*generation, error) {
	source, err := materialize.Discover(w.ctx, w.bucket, materialize.Target{TopicID: kafka.HexID(topicID), N: n, Cut: cut})
	if err != nil {
		return nil, err
	}
	mark := w.marks[n-1]
	inputs := model.Inputs{
		CutN: n, Label: mark.Label, AsOf: mark.Label, TopicID: kafka.HexID(topicID), Cut: cut,
		Definition: w.configured.hash, Validator: event.ValidatorVersion, Format: model.Format,
		Indexes: source.Indexes, Imports: source.Imports, Weights: model.DefaultWeights(),
	}
	if mark.Start.Before(mark.Label) {
		inputs.AsOf = mark.Start
	}
	id, err := inputs.ID()
	if err != nil {
		return nil, err
	}
	m := model.Manifest{ID: id, Inputs: inputs}
	if m.Files, m.Counts, err = w.views(id, inputs, source, way); err != nil || m.Counts.Events == 0 {
		w.note("%d events", m.Counts.Events)
		return nil, err
	}
	distinct, err := w.checkCounts(m)
	if err != nil {
		return nil, err
	}
	if _, err := publish.Store(w.ctx, w.bucket, m); err != nil {
		return nil, err
	}
	w.note("%s has %d events before mark %d at %v", id, m.Counts.Events, n, cut)
	if g := w.generation[id]; g != nil {
		return g, nil
	}
	g := &generation{manifest: m, catalogue: w.configured}
	if g.files, err = artifact.Open(w.ctx, w.bucket, id); err != nil {
		return nil, err
	}
	w.generation[id] = g
	return g, g.checkTraining(distinct)
}

// previous returns a generation that a night can continue from, and its tables; none for even ways.
func (w *world) previous(in model.Inputs, way int) (*materialize.Previous, *artifact.Views, error) {
	var ids []string
	for id, g := range w.generation {
		if len(materialize.Continues(g.manifest.Inputs, in)) == 0 {
			ids = append(ids, id)
		}
	}
	if way%2 == 0 || len(ids) == 0 {
		return nil, nil, nil
	}
	slices.Sort(ids)
	dir, err := w.temp()
	if err != nil {
		return nil, nil, err
	}
	id := ids[len(ids)-1-way/2%len(ids)]
	w.note("continued from %s", id)
	v, err := artifact.OpenViews(w.ctx, w.bucket, id, dir)
	if err != nil {
		return nil, nil, err
	}
	return &materialize.Previous{
		Inputs: v.Manifest.Inputs, Counts: v.Manifest.Counts, Users: v.User, Items: v.Item, Global: v.Global, Recent: v.Recent,
	}, v, nil
}

// views computes and stores the files of a generation.
func (w *world) views(id string, in model.Inputs, s materialize.Source, way int) (files []model.File, counts model.Counts, err error) {
	dir, err := w.temp()
	if err != nil {
		return nil, counts, err
	}
	previous, opened, err := w.previous(in, way)
	if err != nil {
		return nil, counts, err
	}
	if opened != nil {
		defer func() { err = errors.Join(err, opened.Close()) }()
	}
	result, err := materialize.Compute(w.ctx, w.bucket, s, materialize.Options{
		Catalogue: w.configured.Catalogue, Weights: in.Weights, AsOf: in.AsOf.UnixMilli(), Previous: previous,
		Threads: 1 + way%2, Memory: int64(way/2%2) << 14, Dir: dir, // little memory, so that it spills
	})
	if err != nil {
		return nil, counts, err
	}
	defer func() { err = errors.Join(err, result.Close()) }()
	if result.Counts.Events == 0 {
		return nil, result.Counts, nil
	}
	for _, l := range result.Files {
		if err := artifact.StoreLocal(w.ctx, w.bucket, id, l); err != nil {
			return nil, counts, err
		}
		files = append(files, l.File)
	}
	others, err := w.others(id, files)
	for _, f := range others {
		err = errors.Join(err, artifact.Store(w.ctx, w.bucket, id, f))
		files = append(files, f.File)
	}
	slices.SortFunc(files, func(a, b model.File) int { return cmp.Compare(a.Name, b.Name) })
	return files, result.Counts, err
}

// others returns the definitions, and a model that knows nothing, which a generation needs for being one.
func (w *world) others(id string, files []model.File) ([]artifact.Encoded, error) {
	ids := map[string][]string{}
	for _, f := range files {
		if f.Name != model.UserViewFile && f.Name != model.ItemViewFile {
			continue
		}
		view, err := artifact.LoadView(w.ctx, w.bucket, id, f)
		if err != nil {
			return nil, err
		}
		rows := view.Iter()
		for rows.Next() {
			ids[f.Name] = append(ids[f.Name], string(rows.Key()))
		}
		if err := errors.Join(rows.Err(), view.Close()); err != nil {
			return nil, err
		}
	}
	u, i := ids[model.UserViewFile], ids[model.ItemViewFile]
	users, err := artifact.UserVectors(u, make([]float32, 4*len(u)), 4)
	if err != nil {
		return nil, err
	}
	items, err := artifact.ItemVectors(i, make([]float32, 4*len(i)), 4, make([]float32, len(i)))
	return []artifact.Encoded{artifact.Features(w.configured.Catalogue), users, items}, err
}

// checkCounts compares what a generation says of its input with the log before its cut, of which it returns
// the distinct events.
func (w *world) checkCounts(m model.Manifest) ([]oracle.Record, error) {
	valid := w.before(m.Inputs.Cut)
	distinct := oracle.Distinct(valid)
	if m.Counts.Events != int64(len(distinct)) || m.Counts.Duplicates != int64(len(valid)-len(distinct)) {
		return nil, fmt.Errorf("%s counts %d events and %d duplicates, the log before mark %d has %d and %d",
			m.ID, m.Counts.Events, m.Counts.Duplicates, m.Inputs.CutN, len(distinct), len(valid)-len(distinct))
	}
	return distinct, nil
}

func (w *world) publisher() publish.Publisher {
	return publish.Publisher{Bucket: w.bucket, Retain: w.retain, Nonce: func() string { return "nonce" + strconv.Itoa(w.fresh()) }}
}

// moved takes note of the pointer after a move.
func (w *world) moved(p model.Pointer, err error) error {
	if code := api.CodeOf(err); code == api.Superseded || code == api.NotFound {
		w.note("%v", err)
		return nil
	}
	if err != nil {
		return err
	}
	if p.Floor < w.pointer.Floor {
		return fmt.Errorf("the floor fell from %d to %d", w.pointer.Floor, p.Floor)
	}
	w.pointer = p
	w.note("current is %s, the floor %d", p.Current, p.Floor)
	return nil
}

// crashing lets a process die in one of its writes to the bucket (see memory.crash).
func (w *world) crashing(code int64, run func() error) error {
	w.memory.crash(code)
	err := run()
	w.memory.crash(0)
	if !errors.Is(err, errCrashed) {
		return err
	}
	w.note("crashed")
	at, _, err := artifact.ReadPointer(w.ctx, w.bucket)
	return w.moved(at, err)
}

// doRollback makes the to-th retained generation current, or the one below the current for 0.
func (w *world) doRollback(to int64) error {
	if w.pointer.Sequence == 0 {
		return nil
	}
	id := ""
	if n := int64(len(w.pointer.Retained)); to > 0 {
		id = w.pointer.Retained[to%n].ID
	}
	return w.moved(w.publisher().Rollback(w.ctx, id))
}

// asOf is from when on a generation answers.
func (g *generation) asOf() time.Time { return g.manifest.Inputs.AsOf }
