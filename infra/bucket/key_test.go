package bucket

import (
	"strings"
	"testing"
)

func FuzzValidKey(f *testing.F) {
	for _, key := range []string{"", "a", "a/b", "../a", "a//b", "\xff", "a\x00", strings.Repeat("s", 256)} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if ValidKey(key) != nil {
			return
		}
		if strings.Contains("/"+key+"/", "/../") || strings.Contains(key, "//") || key[0] == '/' || len(key) > MaxKey {
			t.Errorf("%q is accepted", key)
		}
		for i := range key { // every prefix of a key lists it
			if err := validPrefix(key[:i]); err != nil {
				t.Errorf("prefix %q of the valid key %q: %v", key[:i], key, err)
			}
		}
	})
}
