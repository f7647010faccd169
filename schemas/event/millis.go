package event

import (
	"fmt"
	"strconv"
	"time"
)

// Millis is an instant in Unix milliseconds. In JSON it is written as an RFC 3339 text in UTC and
// read from such a text or from an integer of Unix milliseconds.
type Millis int64

// Time returns the instant in UTC.
func (m Millis) Time() time.Time { return time.UnixMilli(int64(m)).UTC() }

// String returns the instant as RFC 3339 with milliseconds, UTC.
func (m Millis) String() string { return m.Time().Format("2006-01-02T15:04:05.000Z07:00") }

// MillisOf returns t in Unix milliseconds, cutting off what is finer.
func MillisOf(t time.Time) Millis { return Millis(t.UnixMilli()) }

// ParseMillis reads an RFC 3339 text or an integer of Unix milliseconds. Integers before
// 1973-03-03 are refused because they are seconds in all likelihood.
func ParseMillis(s string) (Millis, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n > -minNumericMillis && n < minNumericMillis {
			return 0, fmt.Errorf("time %s is too small for Unix milliseconds (seconds?): accepted are milliseconds since 1973-03-03 and RFC 3339 such as 2026-01-31T10:00:00Z", s)
		}
		return Millis(n), nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, fmt.Errorf("time %q is neither RFC 3339 such as 2026-01-31T10:00:00Z nor Unix milliseconds", clip(s))
	}
	if y := t.Year(); y < 1 || y > 9999 {
		return 0, fmt.Errorf("time %q: year outside 1 to 9999", clip(s))
	}
	return MillisOf(t), nil
}

// MarshalJSON writes the instant as an RFC 3339 text.
func (m Millis) MarshalJSON() ([]byte, error) {
	if y := m.Time().Year(); y < 1 || y > 9999 {
		return nil, fmt.Errorf("time %d ms lies outside the years 1 to 9999", int64(m))
	}
	return strconv.AppendQuote(nil, m.String()), nil
}

// UnmarshalJSON reads a text or an integer, as ParseMillis does.
func (m *Millis) UnmarshalJSON(b []byte) error {
	s := string(b)
	if len(s) >= 2 && s[0] == '"' {
		s = s[1 : len(s)-1]
	}
	v, err := ParseMillis(s)
	if err != nil {
		return err
	}
	*m = v
	return nil
}

// clip shortens a value for an error message; values come from outside and may be huge.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…(" + strconv.Itoa(len(s)) + " bytes)"
}
