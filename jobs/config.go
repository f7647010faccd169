package jobs

import (
	"errors"
	"fmt"
	"io"
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
	values map[string]any
}

// loadConfig reads the file; kong calls it for --config.
func loadConfig(r io.Reader) (kong.Resolver, error) {
	c := &configFile{}
	if err := yaml.NewDecoder(r).Decode(&c.values); err != nil && !errors.Is(err, io.EOF) {
		return nil, api.Errorf(api.Invalid, "read configuration: %w", err)
	}
	return c, nil
}

// Validate refuses keys that no command knows. A misspelled key would silently leave its default.
func (c *configFile) Validate(app *kong.Application) error {
	return checkKeys(c.values, app.Node, "")
}

func checkKeys(values map[string]any, n *kong.Node, path string) error {
	flags := flagNames(n)
	for key, v := range values {
		if slices.Contains(flags, key) {
			continue
		}
		child := childOf(n, key)
		section, isMap := v.(map[string]any)
		if child == nil || !isMap {
			return api.Errorf(api.Invalid, "configuration key %q is not known; did you mean %q?", path+key, path+closest(key, append(flags, childNames(n)...)))
		}
		if err := checkKeys(section, child, path+key+"."); err != nil {
			return err
		}
	}
	return nil
}

// flagNames returns the flags of the node and of all commands below it.
func flagNames(n *kong.Node) []string {
	var names []string
	for _, f := range n.Flags {
		names = append(names, f.Name)
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
	values, found := c.values, c.values[flag.Name]
	if n := parent.Node(); n != nil {
		for _, name := range strings.Fields(n.FullPath())[1:] {
			section, ok := values[name].(map[string]any)
			if !ok {
				break
			}
			if values = section; values[flag.Name] != nil {
				found = values[flag.Name]
			}
		}
	}
	return asFlag(found), nil
}

// asFlag turns a YAML value into what kong parses.
func asFlag(v any) any {
	switch x := v.(type) {
	case nil:
		return nil
	case []any:
		parts := make([]string, len(x))
		for i, p := range x {
			parts[i] = fmt.Sprint(p)
		}
		return strings.Join(parts, ",")
	case bool:
		return x
	}
	return fmt.Sprint(v)
}

// closest returns the name with the least edit distance to s.
func closest(s string, names []string) string {
	best, least := "", 1<<30
	for _, n := range names {
		if d := editDistance(s, n); d < least {
			best, least = n, d
		}
	}
	return best
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
