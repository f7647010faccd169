package materialize

import (
	"slices"
	"strings"

	"github.com/anabranch/anabranch/batch/materialize/spill"
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

// The columns of rows on their way through the engine. Further numbers and texts are those of
// layout.extras.
const (
	colRow      = iota // ordinal of the raw row among all that are read
	colFile            // index in Source.Files
	colOffset          // position in the file's partition
	colTime            // event time, Unix ms
	colKind            // number of the type
	colCategory        // number of the category; 0 is none
	colItem            // number of the item
	colEvent           // hash of the event id
	colUser            // hash of the user id
	intColumns
)

const (
	colValue = iota
	colPrice
	floatColumns
)

const (
	colUserID = iota
	colSession
	textColumns
)

// plans are the compiled catalogue.
type plans struct {
	user, item, global *tile.Plan
}

func compile(c feature.Catalogue) (p plans, err error) {
	for _, e := range []struct {
		entity feature.Entity
		into   **tile.Plan
	}{{feature.User, &p.user}, {feature.Item, &p.item}, {feature.Global, &p.global}} {
		if *e.into, err = tile.Compile(c, e.entity); err != nil {
			return plans{}, err
		}
	}
	return p, nil
}

func (p plans) all() []*tile.Plan { return []*tile.Plan{p.user, p.item, p.global} }

// uses reports whether a plan reads a field.
func uses(p *tile.Plan, name string) bool {
	return slices.ContainsFunc(p.Fields, func(f tile.Field) bool { return f.Name == name })
}

// extra is a declared field of context or properties.
type extra struct {
	field   tile.Field
	key     string // in the map
	context bool
	text    bool
	column  int // of Texts or Floats
}

// layout says which columns exist and which of them each side keeps.
type layout struct {
	extras              []extra
	floats, texts       int // numbers of columns
	columns             []string
	user, item, global  spill.Pick
	context, properties bool // whether any extra is from there
}

// newLayout derives the columns from what the plans read. Daily says whether warehouse rows are wanted.
func newLayout(p plans, daily bool) layout {
	l := layout{floats: floatColumns, texts: textColumns}
	for _, plan := range p.all() {
		for _, f := range plan.Fields {
			l.addExtra(f)
		}
	}
	l.columns = []string{"offset", "event_id", "user_id", "item_id", "type", "value", "event_time", "reject"}
	for _, c := range []string{"session_id", "category", "price"} {
		if slices.ContainsFunc(p.all(), func(p *tile.Plan) bool { return uses(p, c) }) {
			l.columns = append(l.columns, c)
		}
	}
	if l.context {
		l.columns = append(l.columns, "context")
	}
	if l.properties {
		l.columns = append(l.columns, "properties")
	}
	common := []int{colRow, colFile, colOffset, colTime, colKind, colItem}
	l.user = l.pick(p.user, append(slices.Clone(common), colEvent), []int{colUserID})
	items := slices.Clone(common)
	if daily {
		items = append(items, colUser)
	}
	l.item = l.pick(p.item, items, nil)
	l.global = l.pick(p.global, common, nil)
	return l
}

func (l *layout) addExtra(f tile.Field) {
	x := extra{field: f, text: f.Type.Kind == feature.Text}
	var properties bool
	if x.key, x.context = strings.CutPrefix(f.Name, "context."); !x.context {
		x.key, properties = strings.CutPrefix(f.Name, "properties.")
	}
	known := slices.ContainsFunc(l.extras, func(o extra) bool { return o.field.Name == f.Name })
	if !x.context && !properties || known {
		return
	}
	l.context, l.properties = l.context || x.context, l.properties || properties
	if x.text {
		x.column = l.texts
		l.texts++
	} else {
		x.column = l.floats
		l.floats++
	}
	l.extras = append(l.extras, x)
}

// pick returns the columns of a side: the given ones and those that its plan needs.
func (l *layout) pick(p *tile.Plan, ints, texts []int) spill.Pick {
	out := spill.Pick{Ints: slices.Clone(ints), Floats: []int{colValue}, Texts: texts}
	if uses(p, "category") {
		out.Ints = append(out.Ints, colCategory)
	}
	if uses(p, "price") {
		out.Floats = append(out.Floats, colPrice)
	}
	if uses(p, "user_id") && !slices.Contains(texts, colUserID) {
		out.Texts = append(out.Texts, colUserID)
	}
	if uses(p, "session_id") {
		out.Texts = append(out.Texts, colSession)
	}
	for _, x := range l.extras {
		switch {
		case !uses(p, x.field.Name):
		case x.text:
			out.Texts = append(out.Texts, x.column)
		default:
			out.Floats = append(out.Floats, x.column)
		}
	}
	return out
}

// reach returns the earliest event time that any series of the plan takes when it is pruned as of asOf.
func reach(p *tile.Plan, asOf int64) int64 {
	const everything = -1 << 62
	first := int64(1) << 62
	for i := range p.Series {
		s := &p.Series[i]
		if s.Width == 0 {
			return everything
		}
		first = min(first, tile.Start(asOf-int64(s.Window), s.Width))
	}
	return first
}
