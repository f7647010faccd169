package materialize

import (
	"context"
	"slices"

	"github.com/anabranch/anabranch/infra/artifact"
	"github.com/anabranch/anabranch/schemas/agg"
	"github.com/anabranch/anabranch/schemas/model"
	"github.com/anabranch/anabranch/schemas/tile"
)

// userWorker aggregates partitions of users.
type userWorker struct {
	engine  *engine
	chunk   *chunk
	kernel  *kernel
	codec   *tile.Codec
	view    *tile.Continued // of the user at hand
	recent  tile.Recent
	history historyBuilder
	daily   dailyBuilder

	kept    []int32
	value   []byte
	encoded []byte // a view
	carried map[string]carried
	out     *userRuns
}

// carried is the state of a user between two chunks of a partition.
type carried struct{ value, recent []byte }

// userRuns are the sorted runs of a partition.
type userRuns struct {
	views, recents, daily *run
}

// aggregateUsers applies the duplicate rule, and makes the views and training rows of all users.
func (e *engine) aggregateUsers(ctx context.Context) ([]userRuns, error) {
	runs := make([]userRuns, e.parts(byUser))
	p := e.progress("users", e.sides[byUser].rows)
	return runs, e.workers(ctx, len(runs), func() (func(int) error, error) {
		w := &userWorker{
			engine: e, chunk: newChunk(e, byUser), kernel: newKernel(e, e.user), codec: e.user.NewCodec(),
			view: e.user.NewContinued(), history: historyBuilder{engine: e}, daily: dailyBuilder{engine: e},
		}
		return func(i int) error { return w.part(i, &runs[i], p) }, nil
	})
}

func (w *userWorker) part(n int, out *userRuns, p *progress) error {
	e := w.engine
	*out = userRuns{views: e.newRun(), recents: e.newRun(), daily: e.newRun()}
	w.out, w.carried = out, map[string]carried{}
	w.daily.begin()
	err := w.chunk.each(n, func(last bool) error {
		p.add(w.chunk.rows.Rows)
		w.chunk.groupByUser()
		return w.chunkUsers(last)
	})
	if err != nil {
		return err
	}
	if err := w.daily.write(out.daily, nil); err != nil {
		return err
	}
	return closeRuns(out.views, out.recents, out.daily)
}

// chunkUsers takes the users of a chunk in the order of their ids, and with the last chunk those
// that occurred in earlier ones only.
func (w *userWorker) chunkUsers(last bool) error {
	c := w.chunk
	var waiting []string
	if last {
		waiting = make([]string, 0, len(w.carried))
		for id := range w.carried {
			waiting = append(waiting, id)
		}
		slices.Sort(waiting)
	}
	for _, m := range c.members {
		id := c.rows.Texts[colUserID].At(int(c.first[m]))
		for len(waiting) > 0 && waiting[0] < string(id) {
			if err := w.emitCarried(waiting[0]); err != nil {
				return err
			}
			waiting = waiting[1:]
		}
		if len(waiting) > 0 && waiting[0] == string(id) {
			waiting = waiting[1:]
		}
		if err := w.userRows(id, c.of(m), last); err != nil {
			return err
		}
	}
	for _, id := range waiting {
		if err := w.emitCarried(id); err != nil {
			return err
		}
	}
	return nil
}

// userRows adds a user's rows to what is known of them.
func (w *userWorker) userRows(id []byte, rows []int32, last bool) error {
	err := w.addRows(id, rows, last)
	if err != nil && w.engine.previous != nil {
		return blame(w.engine.previous.Users, id, err)
	}
	return err
}

func (w *userWorker) addRows(id []byte, rows []int32, last bool) error {
	e := w.engine
	state, err := w.load(id)
	if err != nil {
		return err
	}
	w.dropDuplicates(rows)
	w.daily.add(w.chunk.rows, w.kept, id, last)
	for _, r := range w.kept {
		e.known.note(w.chunk.rows.Ints[colItem][r], e.files[w.chunk.rows.Ints[colFile][r]].Label)
	}
	if !e.views && last {
		return nil
	}
	w.value = w.value[:0]
	if e.views {
		if err := w.update(id, &state); err != nil {
			return err
		}
	}
	if !last {
		w.carried[string(id)] = carried{slices.Clone(w.value), w.recent.Append(nil)}
		return nil
	}
	return w.emit(id)
}

// update makes the value of the user from the state before and the rows that are kept.
func (w *userWorker) update(id []byte, state *userState) (err error) {
	c, turn := w.chunk.rows, tile.TurnOf(id)
	if err = continueView(w.view, state.view, c, w.kept); err != nil {
		return err
	}
	w.kernel.update(w.view.Bucket, turn, c, w.kept)
	horizon := w.engine.horizon(turn, w.engine.latest(c, w.kept))
	if w.encoded, err = w.codec.AppendContinued(w.encoded[:0], w.view, horizon); err != nil {
		return err
	}
	touched, err := w.history.build(state.touched, state.history, c, w.kept)
	if err != nil {
		return err
	}
	w.value = model.AppendHistory(artifact.AppendUser(w.value, w.encoded, nil), touched)
	return nil
}

// emit writes the user whose value and recent ids are at hand.
func (w *userWorker) emit(id []byte) error {
	if err := w.out.views.Add(id, w.value); err != nil {
		return err
	}
	w.recent.Enter(w.engine.o.next)
	if w.recent.Len() == 0 {
		return nil
	}
	return w.out.recents.Add(id, w.recent.Append(nil))
}

func (w *userWorker) emitCarried(id string) error {
	w.daily.finish([]byte(id))
	if !w.engine.views {
		return nil
	}
	c := w.carried[id]
	w.value = append(w.value[:0], c.value...)
	d := agg.Decoder{B: c.recent}
	w.recent.Read(&d)
	return w.emit([]byte(id))
}

// dropDuplicates applies the duplicate rule and keeps the other rows.
func (w *userWorker) dropDuplicates(rows []int32) {
	c, e := w.chunk.rows, w.engine
	w.kept = w.kept[:0]
	for _, r := range rows {
		if w.recent.Seen(uint64(c.Ints[colEvent][r]), e.files[c.Ints[colFile][r]].Epoch) {
			e.duplicate.add(c.Ints[colRow][r])
			continue
		}
		w.kept = append(w.kept, r)
	}
}

// userState is what is known of a user before a chunk; the recent ids are in the worker.
type userState struct {
	view    []byte               // encoded; empty where nothing was known
	touched []model.HistoryEntry // entries of the training row since the previous generation
	history []byte               // the row there
}

// load returns the state of a user: of an earlier chunk, of the previous generation, or none.
func (w *userWorker) load(id []byte) (s userState, err error) {
	var value, recent []byte
	if w.engine.previous != nil {
		if value, recent, err = w.engine.previous.user(id); err != nil {
			return userState{}, err
		}
	}
	c, again := w.carried[string(id)]
	if !again {
		return w.open(value, recent)
	}
	if s, err = w.open(c.value, c.recent); err != nil {
		return s, err
	}
	if s.touched, err = model.DecodeHistory(s.history); err != nil {
		return s, err
	}
	if s.history = nil; value != nil {
		_, s.history, err = artifact.SplitUser(value)
	}
	return s, err
}

// never is an epoch that no record is of, nor of the one after it.
const never = -1 << 60

// open takes a state apart; an empty one is that of a user never seen.
func (w *userWorker) open(value, recent []byte) (s userState, err error) {
	w.recent.Enter(never)
	if len(recent) > 0 {
		d := agg.Decoder{B: recent}
		if w.recent.Read(&d); d.Err != nil {
			return userState{}, d.Err
		}
	}
	if len(value) > 0 {
		s.view, s.history, err = artifact.SplitUser(value)
	}
	return s, err
}
