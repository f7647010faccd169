package online

import "github.com/anabranch/anabranch/serving/recommend"

// Request asks for the recommendations of a user.
type Request struct {
	User        string
	N           int
	ExcludeSeen bool
	Categories  []string       // only these; empty means all
	Mode        recommend.Mode // "" means merged
}
