package materialize

import (
	"fmt"
	"testing"

	"github.com/anabranch/anabranch/schemas/tables"
)

// Digest returns all rows, for comparisons.
func (d *Daily) Digest(t testing.TB) (out string) {
	t.Helper()
	for _, table := range tables.All() {
		c := d.cursor(table)
		for ; c.more; c.next() {
			out += fmt.Sprintf("%s %d %q %x\n", table.Name, c.date, c.rest, c.from.Value())
		}
		if c.from != nil && c.from.Err() != nil {
			t.Fatal(c.from.Err())
		}
	}
	return out
}
