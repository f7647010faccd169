package event

// millis reads an event time: a text, or an integer of Unix milliseconds.
func (s *scanner) millis() (Millis, bool) {
	if s.i < len(s.b) && s.b[s.i] == '"' {
		t, ok := s.text()
		if !ok {
			return 0, false
		}
		if m, ok := utcMillis(t); ok {
			return m, true
		}
		m, err := ParseMillis(string(t)) // another zone, perhaps
		return m, err == nil
	}
	const mostDigits = 18 // of an int64, with certainty
	leading := s.i
	n, digits := s.digits(0)
	if digits == 0 || digits > mostDigits || s.b[leading] == '0' || n < minNumericMillis {
		return 0, false
	}
	return Millis(n), s.i == len(s.b) || s.b[s.i] != '.' && s.b[s.i]|0x20 != 'e'
}

// utcMillis reads the form that programs write, 2006-01-02T15:04:05Z with at most nine digits of
// fraction. It reports false of every other text, which may still be a time.
func utcMillis(t []byte) (Millis, bool) {
	const seconds = len("2006-01-02T15:04:05")
	if len(t) <= seconds || t[4] != '-' || t[7] != '-' || t[10] != 'T' || t[13] != ':' || t[16] != ':' {
		return 0, false
	}
	century, year := twoDigits(t, 0), twoDigits(t, 2)
	month, day := twoDigits(t, 5), twoDigits(t, 8)
	hour, minute, second := twoDigits(t, 11), twoDigits(t, 14), twoDigits(t, 17)
	if century > 99 || year > 99 || month > 12 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	if year += 100 * century; year == 0 || month < 1 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	ms, ok := fraction(t[seconds:])
	return Millis(((daysSince1970(year, month, day)*24+hour)*60+minute)*60+second)*1000 + Millis(ms), ok
}

// twoDigits returns a number of two digits, and one above 99 where there are none.
func twoDigits(t []byte, at int) int64 {
	x, y := t[at]-'0', t[at+1]-'0'
	if x > 9 || y > 9 {
		return 100
	}
	return int64(x)*10 + int64(y)
}

// fraction reads what follows the seconds, Z or .123Z, as milliseconds; finer digits are cut off.
func fraction(t []byte) (ms int64, ok bool) {
	last := len(t) - 1
	if t[last] != 'Z' || last == 1 || last > len(".123456789") || last > 0 && t[0] != '.' {
		return 0, false
	}
	unit := int64(100)
	for i := 1; i < last; i++ {
		if t[i]-'0' > 9 {
			return 0, false
		}
		ms += int64(t[i]-'0') * unit
		unit /= 10
	}
	return ms, true
}

func daysIn(year, month int64) int64 {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysSince1970 counts days in the proleptic Gregorian calendar, for years from 1 on. The year is
// taken to begin in March, so that the leap day is its last (Hinnant, chrono-compatible low-level date
// algorithms).
func daysSince1970(year, month, day int64) int64 {
	const daysTo1970 = 719468 // from 0000-03-01
	if month <= 2 {
		year--
		month += 12
	}
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1 - daysTo1970
}
