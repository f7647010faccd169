package event

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// scanner reads the JSON that producers usually send. It is no JSON parser: a method that meets
// anything else than the usual (an escape, null, a syntax error) reports false, and the record is
// given to the strict decoder, which knows what to say of it.
type scanner struct {
	b []byte
	i int // the next byte
}

// space passes over white space, of which there is none as a rule.
func (s *scanner) space() {
	if s.i < len(s.b) && s.b[s.i] <= ' ' {
		s.someSpace()
	}
}

func (s *scanner) someSpace() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// take passes over c and white space around it. It reports false, in front of it, where c is not next.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.i >= len(s.b) || s.b[s.i] != c {
		return false
	}
	s.i++
	s.space()
	return true
}

// done reports whether only white space is left.
func (s *scanner) done() bool {
	s.space()
	return s.i == len(s.b)
}

// Eight bytes at once: a byte of a word that is hit has its high bit set, and the bytes below the
// lowest hit are exact (Mycroft's test for zero bytes; borrows only reach upwards).
const (
	everyByte = 0x0101010101010101
	highBits  = 0x80 * everyByte
)

// special marks the bytes of w that a text cannot simply run over: quotes, backslashes, control
// characters and whatever is no ASCII.
func special(w uint64) uint64 {
	quote, slash := w^'"'*everyByte, w^'\\'*everyByte
	return ((quote-everyByte)&^quote | (slash-everyByte)&^slash | (w-0x20*everyByte)&^w | w) & highBits
}

// text reads a text without escapes. The result is a part of the input.
func (s *scanner) text() ([]byte, bool) {
	if s.i >= len(s.b) || s.b[s.i] != '"' {
		return nil, false
	}
	start, i := s.i+1, s.i+1
	for ; i+8 <= len(s.b); i += 8 {
		if hit := special(binary.LittleEndian.Uint64(s.b[i:])); hit != 0 {
			i += bits.TrailingZeros64(hit) / 8
			break
		}
	}
	ascii := true
	for ; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			s.i = i + 1
			t := s.b[start:i]
			return t, ascii || utf8.Valid(t)
		case c == '\\' || c < 0x20:
			return nil, false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return nil, false
}

// The numbers that are exact without strconv: a float64 holds every integer below 2^53 and every power
// of ten up to 10^22, and IEEE division rounds once (Clinger, How to read floating point numbers
// accurately, 1990).
const exactDigits = 15

var powersOfTen = [exactDigits + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// number reads a number.
func (s *scanner) number() (float64, bool) {
	start := s.i
	negative := s.i < len(s.b) && s.b[s.i] == '-'
	if negative {
		s.i++
	}
	leading := s.i
	mantissa, whole := s.digits(0)
	if whole == 0 || whole > 1 && s.b[leading] == '0' {
		return 0, false
	}
	fraction := 0
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if mantissa, fraction = s.digits(mantissa); fraction == 0 {
			return 0, false
		}
	}
	exponent := s.i < len(s.b) && s.b[s.i]|0x20 == 'e'
	if exponent || whole+fraction > exactDigits {
		return s.anyNumber(start, exponent)
	}
	x := float64(mantissa) / powersOfTen[fraction]
	if negative {
		x = -x
	}
	return x, true
}

// digits appends the digits that come next to n and returns how many there are. Beyond exactDigits n
// is of no use.
func (s *scanner) digits(n int64) (int64, int) {
	start := s.i
	for s.i < len(s.b) && s.b[s.i]-'0' <= 9 {
		n = n*10 + int64(s.b[s.i]-'0')
		s.i++
	}
	return n, s.i - start
}

// anyNumber reads the number that begins at start and goes on with an exponent or ends here.
func (s *scanner) anyNumber(start int, exponent bool) (float64, bool) {
	if exponent {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		if _, n := s.digits(0); n == 0 {
			return 0, false
		}
	}
	x, err := strconv.ParseFloat(string(s.b[start:s.i]), 64)
	return x, err == nil
}

// word passes over a literal such as true.
func (s *scanner) word(w string) bool {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return true
}
