// Package tables declares what the batch layer keeps in the warehouse, as data. Every table is
// partitioned by epoch_date: the date of the epoch that an event arrived in. The day of the event
// itself is a column, so that a late event never replaces an earlier day's counts: to get the numbers
// of a day, add up its rows over all partitions.
package tables

// Type is the type of a column.
type Type string

// The types.
const (
	String  Type = "string"
	Int64   Type = "int64"
	Float64 Type = "float64"
	Date    Type = "date"
)

// Column is one column; none is ever null.
type Column struct {
	Name        string
	Type        Type
	Description string
}

// Table is one table. ClusterBy are the columns by which the rows of a partition are sorted.
type Table struct {
	Name        string
	Description string
	Columns     []Column
	ClusterBy   []string
}

// EpochDate is the column by which tables are partitioned.
const EpochDate = "epoch_date"

// Version numbers the meaning of the columns. Raising it replaces every partition.
const Version = 1

var (
	epochDate = Column{EpochDate, Date, "date of the epoch in which the events arrived; imported events: their own day"}
	day       = Column{"day", Date, "UTC day of the event time"}
	userID    = Column{"user_id", String, "user"}
	itemID    = Column{"item_id", String, "item"}
	eventType = Column{"type", String, "event type, such as view or purchase"}
	events    = Column{"events", Int64, "events, duplicates not counted"}
	users     = Column{"users", Int64, "distinct users among them"}
	valueSum  = Column{"value_sum", Float64, "sum of the events' values; an event without one adds nothing"}
)

// UserDaily counts a user's events by day and type.
func UserDaily() Table {
	return Table{
		Name: "user_daily", Description: "Events by arrival date, event day, user and type.",
		Columns:   []Column{epochDate, day, userID, eventType, events, valueSum},
		ClusterBy: []string{"day", "user_id"},
	}
}

// ItemDaily counts an item's events by day and type. Users are distinct within a row only.
func ItemDaily() Table {
	return Table{
		Name: "item_daily", Description: "Events by arrival date, event day, item and type.",
		Columns:   []Column{epochDate, day, itemID, eventType, events, users, valueSum},
		ClusterBy: []string{"day", "item_id"},
	}
}

// ItemPopularity ranks the items of an arrival date.
func ItemPopularity() Table {
	score := Column{"score", Float64, "sum of the weights that training gives to the events"}
	return Table{
		Name: "item_popularity", Description: "Items by arrival date, with the users and the weight that they attracted.",
		Columns:   []Column{epochDate, itemID, events, users, score},
		ClusterBy: []string{"item_id"},
	}
}

// All returns every table.
func All() []Table { return []Table{UserDaily(), ItemDaily(), ItemPopularity()} }
