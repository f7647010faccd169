package tile

import (
	"github.com/cespare/xxhash/v2"

	"github.com/anabranch/anabranch/schemas/feature"
)

// Turns is how many days pass until the view of a user or an item is pruned again. With a year of history nearly every
// view loses day tiles every night. Rewriting all of them without a new event took .41 s of CPU, where the work of a
// night is about 1.2 s; a sixteenth of them takes .03 s (make bench SUITE=batch, night365_prune_s). Who is touched is pruned
// anyway, when the view is written (materialize), so that only views that do not grow wait for their turn.
const Turns = 16

// Turn says on which of every Turns days the view of a member is pruned.
type Turn int

// EveryNight is the turn of the global entity: its one view is rewritten anyway.
const EveryNight Turn = -1

// TurnOf returns the turn of a user or an item: the xxHash64 of its id modulo Turns.
func TurnOf(id []byte) Turn { return Turn(xxhash.Sum64(id) % Turns) }

// Horizon returns as of which instant a view is pruned that a night as of asOf (both Unix ms) makes: the start of the
// last UTC day at or before asOf whose number is the turn modulo Turns. It depends on nothing else, so that a view has the
// same tiles whether this night made it from the start, continued it, or copied it from a night of the same horizon;
// and it never falls while asOf rises, so that no tile is wanted again that an earlier night has dropped.
func (t Turn) Horizon(asOf int64) int64 {
	if t == EveryNight {
		return asOf
	}
	const day = int64(feature.Day)
	return (number(number(asOf, day)-int64(t), Turns)*Turns + int64(t)) * day
}

// FirstHorizon returns the earliest horizon that any turn has in a night as of asOf.
func FirstHorizon(asOf int64) int64 {
	const day = int64(feature.Day)
	return (number(asOf, day) - (Turns - 1)) * day
}
