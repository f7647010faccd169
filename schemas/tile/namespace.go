package tile

import (
	"strconv"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
)

// Namespace names the live state of a catalogue: states of another definition or of other validity
// rules are never mixed with it. It is part of every key in Redis.
func Namespace(c feature.Catalogue) string {
	return c.Hash()[:12] + "-v" + strconv.Itoa(event.ValidatorVersion)
}
