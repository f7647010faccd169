package tile

import "github.com/anabranch/anabranch/schemas/agg"

// Texts returns how many texts the table of an encoded state has.
func Texts(state []byte) (int, error) {
	d := agg.Decoder{B: state}
	if err := version(&d, stateVersion); err != nil {
		return 0, err
	}
	d.Int()
	var recent Recent
	d.Bytes(8 * recent.readHead(&d))
	return d.Count(), d.Err
}
