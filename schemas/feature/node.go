package feature

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// object is a mapping of the file whose keys were judged.
type object struct {
	*report
	path   string
	node   *yaml.Node
	values map[string]*yaml.Node // by key; keys without a value (null) are left out
	keys   map[string]*yaml.Node // the keys themselves
}

// object reads a mapping. Keys that are unknown, or stand there twice, are reported. What is no
// mapping is reported and read as an empty one.
func (r *report) object(n *yaml.Node, path string, keys []string) *object {
	o := &object{report: r, path: path, node: follow(n), values: map[string]*yaml.Node{}, keys: map[string]*yaml.Node{}}
	n = o.node
	if n.Kind != yaml.MappingNode {
		r.add(n, path, "a mapping with the keys %s is required", listed(keys))
		return o
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], follow(n.Content[i+1])
		switch {
		case key.Tag == "!!merge":
			r.add(key, path, "merge keys are not accepted: write the keys out")
		case keys != nil && !slices.Contains(keys, key.Value):
			r.add(key, path, "unknown key; accepted are %s", listed(keys)).near(key.Value, keys)
		case seen[key.Value]:
			r.add(key, path, "the key stands here twice")
		case value.Tag != "!!null":
			o.values[key.Value], o.keys[key.Value] = value, key
		}
		seen[key.Value] = true
	}
	return o
}

// root is the path of what the file holds.
const root = "catalogue"

// at is the path of a key.
func (o *object) at(key string) string {
	if o.path == root {
		return key
	}
	return o.path + "." + key
}

// need returns a key's value, and reports its absence from a mapping.
func (o *object) need(key, accepted string) *yaml.Node {
	n := o.values[key]
	if n == nil && o.node.Kind == yaml.MappingNode {
		o.add(o.node, o.at(key), "required: %s", accepted)
	}
	return n
}

// text reads a scalar; absent is "".
func (o *object) text(key string) string {
	n := o.values[key]
	if n == nil {
		return ""
	}
	s, _ := o.scalar(n, o.at(key))
	return s
}

// choice reads one of several names.
func (o *object) choice(key string, names []string) string {
	n := o.need(key, "accepted are "+listed(names))
	if n == nil {
		return ""
	}
	s, ok := o.scalar(n, o.at(key))
	if ok && !slices.Contains(names, s) {
		o.add(n, o.at(key), "accepted are %s", listed(names)).near(s, names)
		return ""
	}
	return s
}

// scalar reads a text, number or the like as a text, which has to be printable.
func (r *report) scalar(n *yaml.Node, path string) (string, bool) {
	if n.Kind != yaml.ScalarNode {
		r.add(n, path, "a single value is required")
		return "", false
	}
	if i := strings.IndexFunc(n.Value, unprintable); i >= 0 {
		r.add(n, path, "control characters are not accepted")
		return "", false
	}
	return n.Value, true
}

// unprintable tells the characters that YAML cannot carry from file to canonical form and back.
func unprintable(c rune) bool {
	return c < 0x20 && c != '\n' && c != '\t' || c >= 0x7f && c < 0xa0 || c == 0x2028 || c == 0x2029 || c == 0xfeff
}

// items reads a list; absent is empty. What is no list is reported.
func (o *object) items(key string) []*yaml.Node {
	n := o.values[key]
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		o.add(n, o.at(key), "a list is required")
		return nil
	}
	out := make([]*yaml.Node, len(n.Content))
	for i, x := range n.Content {
		out[i] = follow(x)
	}
	return out
}

// follow returns what an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	for range 8 {
		if n.Kind != yaml.AliasNode || n.Alias == nil {
			break
		}
		n = n.Alias
	}
	return n
}

// listed writes names as a sentence does: a, b and c.
func listed[T ~string](names []T) string {
	var b strings.Builder
	for i, n := range names {
		switch {
		case i > 0 && i == len(names)-1:
			b.WriteString(" and ")
		case i > 0:
			b.WriteString(", ")
		}
		fmt.Fprint(&b, n)
	}
	return b.String()
}
