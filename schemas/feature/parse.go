package feature

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// MaxFeatures bounds the features of a catalogue, derived ones included.
const MaxFeatures = 1000

// maxBytes bounds the file.
const maxBytes = 4 << 20

// Parse reads and validates a catalogue. An error wraps *Problems, which lists all that is wrong with
// the file, each with its line and column.
func Parse(b []byte) (Catalogue, error) {
	r := &catalogueReader{report: &report{}, names: map[string]int{}}
	r.c.Fields = map[string]Type{}
	if top := r.decode(b); top != nil {
		r.read(top)
	}
	if err := r.err(); err != nil {
		return Catalogue{}, fmt.Errorf("feature catalogue: %w", err)
	}
	if len(r.c.Fields) == 0 {
		r.c.Fields = nil
	}
	return r.c, nil
}

// catalogueReader turns the nodes of a file into a catalogue.
type catalogueReader struct {
	*report
	c     Catalogue
	names map[string]int // name → line in which it is defined
}

// decode returns the only document of the file, or nil after reporting why there is none.
func (r *catalogueReader) decode(b []byte) *yaml.Node {
	start := &yaml.Node{Line: 1, Column: 1}
	if len(b) > maxBytes {
		r.add(start, root, "%d bytes: at most %d are accepted", len(b), maxBytes)
		return nil
	}
	r.lines = strings.Split(string(b), "\n")
	d := yaml.NewDecoder(bytes.NewReader(b))
	var document, second yaml.Node
	switch err := d.Decode(&document); {
	case errors.Is(err, io.EOF):
		r.add(start, root, "it is empty; a mapping with features is required")
		return nil
	case err != nil:
		r.syntax(err)
		return nil
	}
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		r.add(&yaml.Node{Line: second.Line, Column: second.Column}, root, "one document is accepted, a second one follows")
		return nil
	}
	return document.Content[0]
}

var (
	yamlLine   = regexp.MustCompile(`^yaml: line ([0-9]+): `)
	yamlParser = regexp.MustCompile(`^did not find expected (node content|key|<.*>|'-' indicator|',' or .*)$`)
	yamlAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// syntax reports YAML's own complaint. It tells no column, so the line's first character is named; its
// parser counts lines from 0, its scanner from 1, and an unknown anchor has no line at all.
func (r *catalogueReader) syntax(err error) {
	n := &yaml.Node{Line: 1, Column: 1}
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		n.Line, _ = strconv.Atoi(m[1])
		text = err.Error()[len(m[0]):]
		if yamlParser.MatchString(text) {
			n.Line++
		}
	}
	if m := yamlAnchor.FindStringSubmatch(text); m != nil {
		n.Line = 1 + max(slices.IndexFunc(r.lines, func(l string) bool { return strings.Contains(l, "*"+m[1]) }), 0)
	}
	if n.Line <= len(r.lines) {
		line := r.lines[n.Line-1]
		n.Column = 1 + len(line) - len(strings.TrimLeft(line, " "))
	}
	r.add(n, root, "not YAML: %s", text)
}

func (r *catalogueReader) read(top *yaml.Node) {
	o := r.object(top, root, names(catalogueKeys))
	r.readFields(o.values["fields"])
	features, derived := o.items("features"), o.items("derived")
	if len(features) == 0 && len(r.list) == 0 {
		r.add(top, "features", "it defines no feature").Value = ""
	}
	if n := len(features) + len(derived); n > MaxFeatures {
		r.add(top, "features", "%d features: at most %d are accepted", n, MaxFeatures)
		return
	}
	for i, n := range features {
		r.c.Features = append(r.c.Features, r.definition(n, i))
	}
	r.readDerived(derived)
}

var (
	nameRule = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	typeRule = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)
)

// reserved are names that the expressions of derived features cannot speak of.
var reserved = []string{
	"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let",
	"loop", "namespace", "null", "package", "return", "true", "var", "void", "while",
}

// path names the i-th entry of a list in messages: by its name if it has one of its own.
func (r *catalogueReader) path(list string, n *yaml.Node, i int) string {
	n = follow(n)
	for k := 0; k+1 < len(n.Content) && n.Kind == yaml.MappingNode; k += 2 {
		name := follow(n.Content[k+1]).Value
		if _, taken := r.names[name]; n.Content[k].Value == "name" && nameRule.MatchString(name) && !taken {
			return list + "." + name
		}
	}
	return fmt.Sprintf("%s[%d]", list, i)
}

// named reads the keys that features and derived features share.
func (r *catalogueReader) named(o *object) (name, description string, entity Entity) {
	n := o.need("name", "1 to 64 characters out of a-z, 0-9 and _, starting with a letter")
	if n != nil {
		name = o.text("name")
		switch first, taken := r.names[name]; {
		case name == "" && n.Value != "": // said already
		case !nameRule.MatchString(name):
			o.add(n, o.at("name"), "accepted are 1 to 64 characters out of a-z, 0-9 and _, starting with a letter")
		case slices.Contains(reserved, name):
			o.add(n, o.at("name"), "the word is reserved in expressions")
		case taken:
			o.add(n, o.at("name"), "the name is taken in line %d; features and derived features share one name space", first)
		default:
			r.names[name] = n.Line
		}
	}
	entity = Entity(o.choice("entity", []string{string(User), string(Item), string(Global)}))
	return name, o.text("description"), entity
}

// window reads a length of event time.
func (o *object) window(key string) Window {
	n := o.values[key]
	if n == nil {
		return 0
	}
	s, ok := o.scalar(n, o.at(key))
	if !ok {
		return 0
	}
	w, err := ParseWindow(s)
	switch {
	case err != nil && key == "window":
		_, accepted, _ := strings.Cut(err.Error(), ": ")
		o.add(n, o.at(key), "%s", accepted).near(s, []string{"lifetime"})
	case err != nil || w == Lifetime && key != "window":
		o.add(n, o.at(key), "accepted are 1h … 365d in whole hours or days")
	}
	return w
}

// integer reads a whole number from low to high.
func (o *object) integer(key string, low, high int) int {
	n := o.values[key]
	if n == nil {
		return 0
	}
	i, err := strconv.Atoi(n.Value)
	if err != nil || i < low || i > high {
		o.add(n, o.at(key), "a whole number from %d to %d is required", low, high)
		return 0
	}
	return i
}
