package kafka

import "testing"

func TestDialRefusesNoSeeds(t *testing.T) {
	if _, err := Dial(nil, nil); err == nil {
		t.Error("a client without brokers")
	}
}
