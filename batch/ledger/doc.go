// Package ledger is the run ledger of an installation: who ran what for a label, how far it came, and what it said.
//
//	runs/<label>/<step>.json           what a step did (batch/nightly)
//	runs/<label>/attempts/<id>.json    one call of a command: its steps, how it ended
//	runs/<label>/attempts/<id>.log     what it logged, a JSON object a line
//	runs/<label>/lease.json            who works on the label now
//
// # The lease
//
// Of several calls for one label only one works; the others end with api.Locked. It is for not doing work twice: what
// must not happen twice, such as publishing, is decided by the bucket's conditional writes, whatever the lease says.
//
// The holder rewrites the lease every Beat. Nobody compares clocks of two machines: who finds a lease watches it, and when
// it has not changed for Patience, the holder is dead and its lease is taken over. A holder that finds its lease
// taken over ends. Where the holder's process ids mean
// the same, which Linux tells, nobody waits: whether its process is there can be asked.
package ledger
