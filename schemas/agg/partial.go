package agg

// set is a part of a partial that varies in size.
type set interface {
	// reset empties the set and keeps its memory.
	reset()
}

// Reset makes p the partial of no events, keeping the memory of its set for the next one. Values that
// were made of p are no longer valid.
func (p *Partial) Reset() {
	s := p.Set
	*p = Partial{}
	if s, ok := s.(set); ok {
		s.reset()
		p.Set = s
	}
}

// grow returns the set of p, made when there is none.
func grow[T any](p *Partial) *T {
	if s, ok := p.Set.(*T); ok {
		return s
	}
	s := new(T)
	p.Set = s
	return s
}
