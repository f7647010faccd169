package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/anabranch/anabranch/schemas/api"
)

// TestExitCodes is the contract with orchestrators.
func TestExitCodes(t *testing.T) {
	for want, errs := range map[int][]error{
		0:  {nil},
		1:  {errors.New("x"), api.Errorf(api.Internal, "x"), api.Errorf(api.NotFound, "x"), context.Canceled, fmt.Errorf("read: %w", context.Canceled)},
		2:  {api.Errorf(api.Invalid, "x"), api.Errorf(api.TooLarge, "x"), fmt.Errorf("import: %w", api.Errorf(api.Invalid, "x"))},
		3:  {api.Errorf(api.Gate, "x")},
		4:  {api.Errorf(api.Superseded, "x"), api.Errorf(api.Locked, "x")},
		75: {api.Errorf(api.Unavailable, "x"), errors.Join(api.Errorf(api.Unavailable, "x"), errors.New("close"))},
		99: {exitWith{99}, errors.Join(exitWith{99}, nil)},
	} {
		for _, err := range errs {
			var said strings.Builder
			if got := report(&said, err); got != want {
				t.Errorf("report(%v) = %d, expected %d", err, got, want)
			}
			silent := err == nil || want == 99
			if silent != (said.Len() == 0) {
				t.Errorf("report(%v) says %q", err, said.String())
			}
		}
	}
}
