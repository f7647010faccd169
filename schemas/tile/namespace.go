package tile

import (
	"strconv"

	"github.com/anabranch/anabranch/schemas/event"
	"github.com/anabranch/anabranch/schemas/feature"
)

// Namespace names the live state of a catalogue: states of another definition or of other validity
// rules are never mixed with it. It is part of every key in Redis.
func Namespace(c feature.Catalogue) string { return NamespaceOf(c.Hash()) }

// NamespaceOf is Namespace of the catalogue with a hash.
func NamespaceOf(hash string) string {
	return hash[:min(12, len(hash))] + "-v" + strconv.Itoa(event.ValidatorVersion)
}
