package eventfile

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxDigits is how many digits a whole number may have to be read as a number: more are an id.
const maxDigits = 15

// scalar reads a cell as true, false, a number or a text.
func scalar(cell string) any {
	switch cell {
	case "true":
		return true
	case "false":
		return false
	}
	if looksNumeric(cell) {
		if v, err := strconv.ParseFloat(cell, 64); err == nil {
			return v
		}
	}
	return unquote(cell)
}

// looksNumeric reports whether a cell is a number in JSON's grammar and not a long id.
func looksNumeric(cell string) bool {
	if c := cell[0]; c != '-' && (c < '0' || c > '9') {
		return false
	}
	v := jsontext.Value(cell)
	return v.IsValid() && v.Kind() == '0' && !strings.ContainsAny(cell, " \t\r\n") &&
		(len(strings.TrimPrefix(cell, "-")) <= maxDigits || strings.ContainsAny(cell, ".eE"))
}

// unquote reads a cell as a text: a JSON string stands for what it quotes, all else for itself.
func unquote(cell string) string {
	if len(cell) < 2 || cell[0] != '"' {
		return cell
	}
	var s string
	if err := json.Unmarshal([]byte(cell), &s); err != nil {
		return cell // a text that merely begins with a quote
	}
	return s
}

// formatText is the inverse of unquote.
func formatText(s string) string {
	plain := s != "" && s[0] != '"'
	for i := 0; plain && i < len(s); i++ {
		plain = s[i] >= 0x20
	}
	if plain {
		return s
	}
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil {
		return s // not UTF-8: the reader's check names it
	}
	return string(b)
}

// formatScalar is the inverse of scalar.
func formatScalar(v any) string {
	switch x := v.(type) {
	case bool:
		return strconv.FormatBool(x)
	case float64:
		return formatNumber(x)
	case string:
		if x == "" {
			return formatText(x)
		}
		if _, same := scalar(x).(string); !same {
			return strconv.Quote(x)
		}
		return formatText(x)
	}
	return ""
}

// formatNumber writes a number so that it is read as one: with an exponent where it has many digits.
func formatNumber(v float64) string {
	if v >= 1e15 || v <= -1e15 {
		return strconv.FormatFloat(v, 'e', -1, 64)
	}
	s := strconv.FormatFloat(v, 'g', -1, 64)
	if strings.Contains(s, "e") && (v >= 1 || v <= -1) {
		s = strconv.FormatFloat(v, 'f', -1, 64)
	}
	return s
}

// clip shortens a value for a message; values come from outside and may be huge.
func clip(s string) string {
	const most = 64
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…(" + strconv.Itoa(len(s)) + " bytes)"
}
