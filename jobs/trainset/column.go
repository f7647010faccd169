package trainset

import (
	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/feature/expr"
)

// Kind is how a column of features is written.
type Kind uint8

// The kinds. Everything that is a list is JSON text, as is a sum of integers that may not fit into 64 bits.
const (
	Integer Kind = iota
	Double
	Text
	Boolean
	Time
	JSON
)

// Column is a feature as a column.
type Column struct {
	Name string
	Kind Kind
}

// ColumnOf returns the column of a definition.
func ColumnOf(c feature.Catalogue, d feature.Definition) Column {
	return Column{d.Name, kindOf(c, d)}
}

func kindOf(c feature.Catalogue, d feature.Definition) Kind {
	if d.By != "" {
		return JSON
	}
	switch d.Aggregate {
	case feature.Count, feature.Distinct:
		return Integer
	case feature.Mean, feature.Ratio, feature.DecayedCount, feature.DecayedSum:
		return Double
	case feature.TopK, feature.LastN, feature.Histogram:
		return JSON
	}
	t, _ := c.Type(d.Of)
	switch t.Kind {
	case feature.Text:
		return Text
	case feature.Boolean:
		if d.Aggregate == feature.Sum {
			return Integer
		}
		return Boolean
	case feature.Time:
		return Time
	case feature.Integer:
		return Integer
	}
	return Double // floats, and decimals as the nearest float
}

// DerivedColumn returns the column of a derived feature.
func DerivedColumn(f feature.Formula) Column {
	kind := map[expr.Type]Kind{expr.Int: Integer, expr.Double: Double, expr.Text: Text, expr.Bool: Boolean}[f.Tree.Type]
	return Column{f.Name, kind}
}
