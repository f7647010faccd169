package sql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anabranch/anabranch/schemas/feature"
	"github.com/anabranch/anabranch/schemas/tile"
)

// Events returns the query of the events that count, valid and no duplicates, with the typed fields that
// the features of all entities need.
func Events(d Dialect, c feature.Catalogue, s Source) (string, error) {
	all := &catalogue{plan: &tile.Plan{}}
	for _, e := range entities {
		x, err := compile(d, c, e)
		if err != nil {
			return "", err
		}
		for _, f := range x.plan.Fields {
			if !slices.Contains(all.plan.Fields, f) {
				all.plan.Fields = append(all.plan.Fields, f)
			}
		}
		all.Dialect, all.columns = d, x.columns
	}
	q := &query{comment: "Distinct valid events with typed fields. " + d.Name() + ", generated from the feature catalogue.\n" + cutComment(d)}
	s.Distinct, s.History = false, false
	all.events(q, s)
	q.body = "SELECT * FROM event"
	return q.String(), nil
}

func cutComment(d Dialect) string {
	return fmt.Sprintf("%s: only records of epochs below it count (NULL: all).", d.Param("cut_epoch"))
}

// events adds the parts that end in `event`, the events that count.
func (c *catalogue) events(q *query, s Source) {
	if s.Distinct {
		q.with("event", "The events that count, as Events found them.", "SELECT * FROM "+s.Table)
		return
	}
	q.with("valid", "Valid records of the epochs that count, with the fields that features need (NULL: absent).", c.valid(s))
	q.with("numbered", "Each record's number among its user's, in the order of the log.",
		"SELECT *, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY epoch, seq) AS n\nFROM valid")
	q.with("repeated", "How far back its user sent the same event id last, in records and in epochs (NULL: never).", repeated)
	comment := fmt.Sprintf("The duplicate rule: an id seen among the %d records before, in the same or the preceding epoch, is\n"+
		"the same event. Fields take their declared types: whole numbers and decimals, as units, are INT64.", tile.RecentCap)
	q.with("event", comment, c.distinct(s))
}

const repeated = `SELECT
  *,
  n - LAG(n) OVER same_id AS records_back,
  epoch - LAG(epoch) OVER same_id AS epochs_back
FROM numbered
WINDOW same_id AS (PARTITION BY user_id, event_id ORDER BY n)`

// valid selects what is needed of a raw row.
func (c *catalogue) valid(s Source) string {
	var list selection
	for _, name := range append([]string{"event_id", "epoch"}, base...) {
		expression := name
		if name == "event_time" && s.Timestamps {
			expression = c.Millis(name)
		}
		list.add(expression, name)
	}
	for _, f := range c.plan.Fields {
		if column := c.columns[f.Name]; !isBase(column) {
			list.add(raw(c, f), column)
		}
	}
	conditions := []string{"reject IS NULL", fmt.Sprintf("(%[1]s IS NULL OR epoch < %[1]s)", c.Param("cut_epoch"))}
	if s.History {
		logged := "log_time"
		if s.Timestamps {
			logged = c.Millis(logged)
		}
		conditions = append(conditions, logged+" <= "+c.Param("as_of"))
	}
	return list.String() + "\nFROM " + s.Table + "\nWHERE " + strings.Join(conditions, "\n  AND ")
}

// distinct applies the duplicate rule and the types.
func (c *catalogue) distinct(s Source) string {
	var list selection
	for _, name := range base {
		list.add(name, name)
	}
	for _, f := range c.plan.Fields {
		if column := c.columns[f.Name]; !isBase(column) {
			list.add(typed(c, f.Type, column), column)
		}
	}
	where := fmt.Sprintf("(records_back IS NULL OR records_back > %d OR epochs_back > 1)", tile.RecentCap)
	if s.History {
		where += "\n  AND event_time <= " + c.Param("as_of")
	}
	return list.String() + "\nFROM repeated\nWHERE " + where
}
