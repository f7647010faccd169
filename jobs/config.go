package jobs

import (
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"

	"github.com/anabranch/anabranch/schemas/api"
)

// configFile is a YAML file of flag names: at the top level for every command that has the flag, or
// below a command's name for that command only (subcommands nest):
//
//	kafka: [broker-1:9092, broker-2:9092]
//	dev:
//	  period: 2m
type configFile struct {
	root section
}

// section holds the keys of one level. Values stay as they are written, so that a date is not
// turned into an instant before the flag sees it.
type section map[string]yaml.Node

// loadConfig reads the file; kong calls it for --config.
func loadConfig(r io.Reader) (kong.Resolver, error) {
	c := &configFile{}
	if err := yaml.NewDecoder(r).Decode(&c.root); err != nil && !errors.Is(err, io.EOF) {
		return nil, api.Errorf(api.Invalid, "read configuration: %w", err)
	}
	return c, nil
}

// at returns the node of a key, the zero node when there is none.
func (s section) at(key string) yaml.Node {
	n := s[key]
	if n.Kind == yaml.AliasNode {
		return *n.Alias
	}
	return n
}

// below returns the section of a command's name, if the key is one.
func (s section) below(name string) (section, bool, error) {
	n := s.at(name)
	if n.Kind != yaml.MappingNode {
		return nil, false, nil
	}
	var out section
	if err := n.Decode(&out); err != nil {
		return nil, false, api.Errorf(api.Invalid, "read configuration: section %s: %w", name, err)
	}
	return out, true, nil
}

// Validate refuses keys that no command knows. A misspelled key would silently leave its default.
func (c *configFile) Validate(app *kong.Application) error {
	return checkKeys(c.root, app.Node, "")
}

func checkKeys(s section, n *kong.Node, path string) error {
	flags := flagNames(n)
	for _, key := range slices.Sorted(maps.Keys(s)) {
		child := childOf(n, key)
		values, isSection, err := s.below(key)
		switch {
		case err != nil:
			return err
		case isSection && child != nil:
			if err := checkKeys(values, child, path+key+"."); err != nil {
				return err
			}
		case isSection && slices.Contains(flags, key):
			return api.Errorf(api.Invalid, "configuration key %q (line %d): a value is accepted, not a section", path+key, s[key].Line)
		case !isSection && child != nil && !slices.Contains(flags, key):
			return api.Errorf(api.Invalid, "configuration key %q (line %d) is a command: a section of its flags is accepted", path+key, s[key].Line)
		case !slices.Contains(flags, key):
			return api.Errorf(api.Invalid, "configuration key %q (line %d) is not known; did you mean %q?",
				path+key, s[key].Line, path+nearest(key, append(flags, childNames(n)...)))
		}
	}
	return nil
}

// flagNames returns the flags of the node and of all commands below it.
func flagNames(n *kong.Node) []string {
	var names []string
	for _, f := range n.Flags {
		if f.Name != "help" && f.Name != "config" { // these work on the command line only
			names = append(names, f.Name)
		}
	}
	for _, child := range n.Children {
		names = append(names, flagNames(child)...)
	}
	return names
}

func childOf(n *kong.Node, name string) *kong.Node {
	for _, child := range n.Children {
		if child.Name == name {
			return child
		}
	}
	return nil
}

func childNames(n *kong.Node) []string {
	var names []string
	for _, child := range n.Children {
		names = append(names, child.Name)
	}
	return names
}

// Resolve returns the file's value of a flag, or nil. The environment is stronger than the file.
func (c *configFile) Resolve(_ *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	values, found := c.root, c.root.at(flag.Name)
	if n := parent.Node(); n != nil {
		for _, name := range strings.Fields(n.FullPath())[1:] {
			below, ok, err := values.below(name)
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			values = below
			if n := values.at(flag.Name); isValue(n) {
				found = n
			}
		}
	}
	return asFlag(found), nil
}

// isValue reports whether a node can be the value of a flag.
func isValue(n yaml.Node) bool {
	return n.Kind == yaml.SequenceNode || n.Kind == yaml.ScalarNode && n.Tag != "!!null"
}

// asFlag turns a YAML value into the text that the command line would bring.
func asFlag(n yaml.Node) any {
	if !isValue(n) {
		return nil
	}
	if n.Kind == yaml.ScalarNode {
		return n.Value
	}
	parts := make([]string, len(n.Content))
	for i, p := range n.Content {
		parts[i] = p.Value
	}
	return strings.Join(parts, ",")
}

func nearest(key string, known []string) string {
	best, _ := api.Closest(key, known)
	return best
}
