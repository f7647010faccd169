package eventfile

import (
	"slices"
	"strconv"
	"strings"

	"github.com/anabranch/anabranch/schemas/event"
)

// setter puts a cell that is not empty into a record.
type setter[T any] func(record *T, cell string) *event.Rejection

// kind is what differs between files of events, of items and of users.
type kind[T any] struct {
	what      string // "events"
	decode    func(line []byte) (T, *event.Rejection)
	column    func(name string) setter[T] // nil for a column that is not accepted
	accepted  []string                    // names and patterns of columns
	required  []string
	check     func(*T) *event.Rejection
	movielens movielens
	decodeOld func(line []byte) (T, *event.Rejection) // of MovieLens
}

// Columns of events, in the order in which they are written.
var eventColumns = [...]string{"event_id", "user_id", "item_id", "type", "value", "event_time", "session_id"}

const (
	contextPrefix    = "context."
	propertiesPrefix = "properties."
)

func events() kind[event.Event] {
	return kind[event.Event]{
		what:      "events",
		decode:    decodeEvent,
		column:    eventColumn,
		accepted:  append(slices.Clone(eventColumns[:]), contextPrefix+"*", propertiesPrefix+"*"),
		required:  []string{"user_id", "item_id", "type", "event_time"},
		check:     checkEvent,
		movielens: movielens{file: "u.data", looksLike: isRating},
		decodeOld: parseRating,
	}
}

func items() kind[event.Item] {
	return kind[event.Item]{
		what:      "items",
		decode:    event.DecodeItem,
		column:    itemColumn,
		accepted:  []string{"item_id", "any attribute"},
		required:  []string{"item_id"},
		check:     (*event.Item).Check,
		movielens: movielens{file: "u.item", looksLike: isMovie},
		decodeOld: parseMovie,
	}
}

func users() kind[event.User] {
	return kind[event.User]{
		what:      "users",
		decode:    event.DecodeUser,
		column:    userColumn,
		accepted:  []string{"user_id", "any attribute"},
		required:  []string{"user_id"},
		check:     (*event.User).Check,
		movielens: movielens{file: "u.user", looksLike: isPerson},
		decodeOld: parsePerson,
	}
}

func decodeEvent(line []byte) (event.Event, *event.Rejection) {
	e, rej := event.Decode(event.ContentTypeJSON, line)
	if rej == nil {
		rej = checkEvent(&e)
	}
	return e, rej
}

// checkEvent judges an event whose id may be missing.
func checkEvent(e *event.Event) *event.Rejection {
	if e.ID != "" {
		return e.Check()
	}
	e.ID = "derived later"
	rej := e.Check()
	e.ID = ""
	return rej
}

func eventColumn(name string) setter[event.Event] {
	switch name {
	case "event_id":
		return text(func(e *event.Event) *string { return &e.ID })
	case "user_id":
		return text(func(e *event.Event) *string { return &e.UserID })
	case "item_id":
		return text(func(e *event.Event) *string { return &e.ItemID })
	case "type":
		return text(func(e *event.Event) *string { return &e.Type })
	case "session_id":
		return text(func(e *event.Event) *string { return &e.SessionID })
	case "value":
		return func(e *event.Event, cell string) *event.Rejection {
			v, err := strconv.ParseFloat(cell, 64)
			if err != nil {
				return refuse(event.ReasonMalformed, "value", cell, "a number such as 19.99 is required")
			}
			e.Value = &v
			return nil
		}
	case "event_time":
		return func(e *event.Event, cell string) *event.Rejection {
			t, err := event.ParseMillis(cell)
			if err != nil {
				return refuse(event.ReasonMalformed, "event_time", cell, err.Error())
			}
			e.Time = t
			return nil
		}
	}
	if key, ok := strings.CutPrefix(name, contextPrefix); ok && key != "" {
		return func(e *event.Event, cell string) *event.Rejection {
			if e.Context == nil {
				e.Context = map[string]string{}
			}
			e.Context[key] = unquote(cell)
			return nil
		}
	}
	if key, ok := strings.CutPrefix(name, propertiesPrefix); ok && key != "" {
		return func(e *event.Event, cell string) *event.Rejection {
			if e.Properties == nil {
				e.Properties = map[string]any{}
			}
			e.Properties[key] = scalar(cell)
			return nil
		}
	}
	return nil
}

func text[T any](field func(*T) *string) setter[T] {
	return func(record *T, cell string) *event.Rejection {
		*field(record) = cell
		return nil
	}
}

func itemColumn(name string) setter[event.Item] {
	switch name {
	case "":
		return nil
	case "item_id":
		return text(func(i *event.Item) *string { return &i.ID })
	}
	return func(i *event.Item, cell string) *event.Rejection {
		if i.Attributes == nil {
			i.Attributes = map[string]any{}
		}
		i.Attributes[name] = attribute(name, cell)
		return nil
	}
}

func userColumn(name string) setter[event.User] {
	switch name {
	case "":
		return nil
	case "user_id":
		return text(func(u *event.User) *string { return &u.ID })
	}
	return func(u *event.User, cell string) *event.Rejection {
		if u.Attributes == nil {
			u.Attributes = map[string]any{}
		}
		u.Attributes[name] = attribute(name, cell)
		return nil
	}
}

// attribute reads a cell as what the attribute is meant to be.
func attribute(name, cell string) any {
	switch name {
	case "category", "title":
		return unquote(cell)
	case "tags":
		var list []any
		for tag := range strings.SplitSeq(cell, "|") {
			if tag = strings.TrimSpace(tag); tag != "" {
				list = append(list, tag)
			}
		}
		return list
	}
	return scalar(cell)
}
