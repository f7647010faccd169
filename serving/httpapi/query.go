package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/anabranch/anabranch/schemas/api"
	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/serving/recommend"
)

// query is the parameters of a request, all of them known to its route.
type query struct{ values url.Values }

// repeatable are the parameters that may be given more than once.
var repeatable = []string{"category"}

// parseQuery reads the parameters of a request whose route knows the given names.
func parseQuery(r *http.Request, known ...string) (query, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return query{}, api.Errorf(api.Invalid, "query %s cannot be read: %w", api.Clip(r.URL.RawQuery), err)
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names) // so that the same request always gets the same message
	for _, name := range names {
		switch {
		case !slices.Contains(known, name):
			return query{}, unknown(name, known)
		case len(values[name]) > 1 && !slices.Contains(repeatable, name):
			return query{}, api.Errorf(api.Invalid, "parameter %s is given %d times; once is accepted", name, len(values[name]))
		}
	}
	return query{values}, nil
}

func unknown(name string, known []string) error {
	if len(known) == 0 {
		return api.Errorf(api.Invalid, "parameter %s is not known: this endpoint takes none", api.Clip(name))
	}
	nearest, _ := api.Closest(name, known)
	return api.Errorf(api.Invalid, "parameter %s is not known; did you mean %s? accepted are %s",
		api.Clip(name), nearest, strings.Join(known, ", "))
}

// n reads the number of answers wanted.
func (q query) n() (int, error) {
	if q.values.Has("n") && q.values.Get("n") == "" {
		return 0, api.Errorf(api.Invalid, "n is empty: a whole number from 1 to %d is accepted", api.MaxN)
	}
	return api.ParseN(q.values.Get("n"))
}

// boolean reads a switch.
func (q query) boolean(name string, fallback bool) (bool, error) {
	return api.ParseBool(name, q.values.Get(name), fallback)
}

// maxCategories bounds the filter.
const maxCategories = event.MaxEntries

// categories reads the category filter; each of the parameters adds one.
func (q query) categories() ([]string, error) {
	list := q.values["category"]
	if len(list) > maxCategories {
		return nil, api.Errorf(api.Invalid, "category is given %d times; at most %d are accepted", len(list), maxCategories)
	}
	for _, c := range list {
		if c == "" || len(c) > event.MaxTextBytes || !utf8.ValidString(c) {
			return nil, api.Errorf(api.Invalid, "category=%s: a text of 1 to %d bytes of UTF-8 is accepted", api.Clip(c), event.MaxTextBytes)
		}
	}
	return list, nil
}

// mode reads which layers an answer is made from.
func (q query) mode() (recommend.Mode, error) {
	switch m := recommend.Mode(q.values.Get("mode")); m {
	case "":
		return recommend.ModeMerged, nil
	case recommend.ModeMerged, recommend.ModeBatch, recommend.ModeLive:
		return m, nil
	default:
		return "", api.Errorf(api.Invalid, "mode=%s: merged, batch or live is accepted", api.Clip(string(m)))
	}
}

// pathID reads and checks the id in the path; field is what messages call it.
func pathID(r *http.Request, field string) (string, error) {
	id := r.PathValue("id")
	if rejection := event.CheckID(field, id); rejection != nil {
		return "", api.Errorf(api.Invalid, "%w", rejection)
	}
	return id, nil
}
