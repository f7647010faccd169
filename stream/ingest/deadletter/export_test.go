package deadletter

import "time"

// Hasty returns a replayer that hardly tries to abort: its network is dead.
func Hasty(r Replayer) Replayer {
	r.grace = time.Millisecond
	return r
}
