package event

// scanEvent decodes the JSON of an event that holds no surprise. It accepts a subset of what the
// strict decoder accepts, with the same result, and its entries are within their limits; of every
// other record it reports false, valid or not.
func scanEvent(value []byte, t *Texts) (Event, bool) {
	if len(value) > MaxRecordBytes {
		return Event{}, false
	}
	s := scanner{b: value}
	var d draft
	ok := s.object(func(name []byte) bool { return s.member(&d, t, name) })
	if !ok || !s.done() {
		return Event{}, false
	}
	return d.finish(t), true
}

// object reads an object; member reads the value under a name.
func (s *scanner) object(member func(name []byte) bool) bool {
	if !s.take('{') {
		return false
	}
	if s.take('}') {
		return true
	}
	for {
		name, ok := s.text()
		if !ok || !s.take(':') || !member(name) {
			return false
		}
		if s.take(',') {
			continue
		}
		return s.take('}')
	}
}

// member reads the value of a field of an event.
func (s *scanner) member(d *draft, t *Texts, name []byte) (ok bool) {
	switch string(name) {
	case "event_id":
		d.id, ok = s.text()
		return ok && d.add(hasID)
	case "user_id":
		d.user, ok = s.text()
		return ok && d.add(hasUser)
	case "item_id":
		d.item, ok = s.text()
		return ok && d.add(hasItem)
	case "type":
		d.kind, ok = s.text()
		return ok && d.add(hasType)
	case "session_id":
		d.session, ok = s.text()
		return ok && d.add(hasSession)
	case "value":
		d.value, ok = s.number()
		return ok && d.add(hasValue)
	case "event_time":
		d.time, ok = s.millis()
		return ok && d.add(hasTime)
	case "context":
		return d.add(hasContext) && s.context(d, t)
	case "properties":
		return d.add(hasProperties) && s.properties(d, t)
	case "item":
		return d.add(hasStamp) && s.object(func(name []byte) bool { return s.stamped(d, name) })
	}
	return false
}

// stamped reads the value of a field of "item".
func (s *scanner) stamped(d *draft, name []byte) (ok bool) {
	switch string(name) {
	case "category":
		d.category, ok = s.text()
		return ok && d.add(hasCategory)
	case "price":
		d.price, ok = s.number()
		return ok && d.add(hasPrice)
	}
	return false
}

// context reads a map of texts. That no name comes twice shows in its size.
func (s *scanner) context(d *draft, t *Texts) bool {
	d.context = map[string]string{}
	n := 0
	ok := s.object(func(name []byte) bool {
		v, ok := s.text()
		if n++; !ok || !withinLimits(name, v, n) {
			return false
		}
		d.context[t.text(name)] = t.text(v)
		return true
	})
	return ok && len(d.context) == n
}

// properties reads a map of scalars.
func (s *scanner) properties(d *draft, t *Texts) bool {
	d.properties = map[string]any{}
	n := 0
	ok := s.object(func(name []byte) bool {
		v, ok := s.scalar(t)
		if n++; !ok || !withinLimits(name, nil, n) {
			return false
		}
		d.properties[t.text(name)] = v
		return true
	})
	return ok && len(d.properties) == n
}

// scalar reads a text within its limit, a number, true or false.
func (s *scanner) scalar(t *Texts) (any, bool) {
	if s.i >= len(s.b) {
		return nil, false
	}
	switch s.b[s.i] {
	case '"':
		v, ok := s.text()
		if !ok || len(v) > MaxTextBytes {
			return nil, false
		}
		return t.text(v), true
	case 't':
		return true, s.word("true")
	case 'f':
		return false, s.word("false")
	}
	v, ok := s.number()
	return v, ok
}

// withinLimits reports whether the n-th entry of context or properties is valid, given that it is UTF-8.
func withinLimits(name, text []byte, n int) bool {
	return len(name) > 0 && len(name) <= MaxKeyBytes && len(text) <= MaxTextBytes && n <= MaxEntries
}
