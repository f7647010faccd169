package bucket

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a key, in bytes.
const (
	// MaxKey is S3's limit.
	MaxKey = 1024
	// MaxSegment is the limit of a file name on common file systems.
	MaxSegment = 255
)

// ValidKey says whether every driver can store an object under key: valid
// UTF-8 of 1 to MaxKey bytes without control characters, in segments of 1 to
// MaxSegment bytes separated by '/', none of them "." or "..". The error is
// ErrInvalidKey and says which rule was broken.
func ValidKey(key string) error {
	reason := brokenRule(key)
	if reason == "" {
		return nil
	}
	if len(key) > 80 {
		key = key[:80] + "…"
	}
	return fmt.Errorf("bucket: %w %q: %s", ErrInvalidKey, key, reason)
}

func brokenRule(key string) string {
	switch {
	case key == "":
		return "it is empty"
	case len(key) > MaxKey:
		return fmt.Sprintf("%d bytes, at most %d are allowed", len(key), MaxKey)
	case !utf8.ValidString(key):
		return "it is not valid UTF-8"
	case strings.ContainsFunc(key, unicode.IsControl):
		return "it contains a control character"
	}
	for segment := range strings.SplitSeq(key, "/") {
		switch {
		case segment == "":
			return "an empty segment (a leading, trailing or doubled '/')"
		case segment == "." || segment == "..":
			return fmt.Sprintf("the segment %q", segment)
		case len(segment) > MaxSegment:
			return fmt.Sprintf("a segment of %d bytes, at most %d are allowed", len(segment), MaxSegment)
		}
	}
	return ""
}

// validPrefix checks a prefix of keys: it may be empty and may end anywhere.
func validPrefix(prefix string) error {
	head, _ := strings.CutSuffix(prefix, "/")
	if prefix == "" {
		return nil
	}
	// A prefix may cut "..x" after the dots; any last segment will do.
	if i := strings.LastIndexByte(head, '/'); strings.Trim(head[i+1:], ".") == "" && head == prefix {
		head += "x"
	}
	return ValidKey(head)
}
