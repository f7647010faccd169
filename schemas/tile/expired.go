package tile

import (
	"fmt"

	"github.com/anabranch/anabranch/schemas/agg"
)

// Expired reports whether Prune(t) would drop tiles of an encoded view. It reads the heads of the series
// only, so that a view from which nothing goes can be copied as it is.
func (p *Plan) Expired(view []byte, t int64) (bool, error) {
	d := agg.Decoder{B: view}
	err := version(&d, viewVersion)
	if err == nil {
		d.SkipTable()
		var h header
		for i := range p.Series {
			s := &p.Series[i]
			h.read(&d)
			if s.Width > 0 && h.tiles > 0 && h.oldest < number(t-int64(s.Window), s.Width) && d.Err == nil {
				return true, nil
			}
		}
		err = end(&d)
	}
	if err != nil {
		return false, fmt.Errorf("read %s view: %w", p.Entity, err)
	}
	return false, nil
}
