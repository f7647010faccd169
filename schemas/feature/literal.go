package feature

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// instant is how a time is written: RFC 3339 in UTC, to the millisecond.
const instant = "2006-01-02T15:04:05.999Z07:00"

var (
	bareRule   = regexp.MustCompile(`^[^\s"'\[\],=<>!]+$`)
	numberRule = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
)

// literal reads a literal of a type as it stands in a condition.
func (t Type) literal(s string) (Literal, error) {
	if t.Kind == Text {
		return textLiteral(s)
	}
	x, err := t.number(s)
	return Literal{Number: x}, err
}

func textLiteral(s string) (Literal, error) {
	if s != "" && (s[0] == '"' || s[0] == '\'') {
		text, rest, ok := unquote(s)
		if !ok || rest != "" {
			return Literal{}, fmt.Errorf("%s: a text between quotes is required, with \\ before a quote or a \\ inside", s)
		}
		if text == "" {
			return Literal{}, fmt.Errorf("%s: an empty text is absent, and no condition holds on what is absent", s)
		}
		return Literal{Text: text}, nil
	}
	if !bareRule.MatchString(s) {
		return Literal{}, fmt.Errorf("%q: a text with spaces or one of \" ' [ ] , = < > ! goes between quotes", s)
	}
	return Literal{Text: s}, nil
}

// unquote reads a quoted text and returns what follows it.
func unquote(s string) (text, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == s[0]:
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s):
			i++
			if s[i] != '\\' && s[i] != '"' && s[i] != '\'' {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// number reads a literal of other than a text field, as Literal.Number holds it.
func (t Type) number(s string) (float64, error) {
	switch t.Kind {
	case Boolean:
		if s == "true" || s == "false" {
			return map[string]float64{"true": 1}[s], nil
		}
		return 0, fmt.Errorf("%q: true or false is required", s)
	case Time:
		at, err := time.Parse(time.RFC3339, s)
		if err != nil || at.Nanosecond()%1e6 != 0 {
			return 0, fmt.Errorf("%q: an instant to the millisecond such as 2026-01-31T00:00:00Z is required", s)
		}
		return float64(at.UnixMilli()), nil
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || !numberRule.MatchString(s) {
		return 0, fmt.Errorf("%q: a finite number is required", s)
	}
	x += 0 // no negative zero
	return x, t.holds(x)
}

// holds judges whether a number is a value of the type: a bound or literal that is none would be
// compared after rounding, and mean something else than it says.
func (t Type) holds(x float64) error {
	if t.Kind == Float {
		return nil
	}
	units, ok := t.Units(x)
	switch {
	case !ok && t.Kind == Integer:
		return fmt.Errorf("%v: a whole number below 2^53 is required, since the field is an integer", x)
	case !ok:
		return fmt.Errorf("%v: out of the range of %s", x, t)
	case t.Kind == Decimal && strconv.FormatFloat(x, 'f', -1, 64) != strconv.FormatFloat(t.value(units), 'f', -1, 64):
		return fmt.Errorf("%v: at most %d decimal places are accepted, since the field is a %s", x, t.Scale, t)
	}
	return nil
}

// value returns the number that units stand for, the float64 nearest to units / 10^Scale.
func (t Type) value(units int64) float64 {
	p := int64(1)
	for range t.Scale {
		p *= 10
	}
	return float64(units) / float64(p)
}

// format writes a literal as literal reads it.
func (t Type) format(l Literal) string {
	switch t.Kind {
	case Text:
		if bareRule.MatchString(l.Text) {
			return l.Text
		}
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(l.Text) + `"`
	case Boolean:
		return strconv.FormatBool(l.Number != 0)
	case Time:
		return time.UnixMilli(int64(l.Number)).UTC().Format(instant)
	}
	return strconv.FormatFloat(l.Number, 'g', -1, 64)
}
