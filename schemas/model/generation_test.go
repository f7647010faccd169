package model

import (
	"reflect"
	"testing"
	"time"
)

func inputs() Inputs {
	at := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	return Inputs{
		CutN: 3, Label: at, AsOf: at, TopicID: "ff", Cut: Cut{0: 10, 1: 12}, Definition: "def", Validator: 1, Format: 1,
		Indexes: []IndexRef{{Epoch: 0, Version: 2, SHA256: "a"}}, Imports: []string{"b"}, Snapshot: "c",
		Train: DefaultTrainParams(), Weights: DefaultWeights(),
	}
}

// TestIDIsStable pins the identity of a generation: another encoding would make every night's run a new one.
func TestIDIsStable(t *testing.T) {
	const want = "g000003-ab748f714f"
	for range 20 { // maps have no order
		if id, err := inputs().ID(); err != nil || id != want {
			t.Fatalf("id %s, %v; want %s", id, err, want)
		}
	}
}

// TestIDDependsOnEveryInput zeroes one field after the other.
func TestIDDependsOnEveryInput(t *testing.T) {
	base, err := inputs().ID()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{base: "nothing"}
	for i := range reflect.TypeFor[Inputs]().NumField() {
		name := reflect.TypeFor[Inputs]().Field(i).Name
		in := inputs()
		reflect.ValueOf(&in).Elem().Field(i).SetZero()
		id, err := in.ID()
		if err != nil {
			t.Fatalf("without %s: %v", name, err)
		}
		if other, taken := seen[id]; taken {
			t.Errorf("changing %s and changing %s give the same id", name, other)
		}
		seen[id] = name
	}
}

func TestIsGenerationID(t *testing.T) {
	id, err := inputs().ID()
	if err != nil || !IsGenerationID(id) || !IsGenerationID("g1234567-0123456789") {
		t.Errorf("%s is refused, %v", id, err)
	}
	for _, other := range []string{"", "g", "pointer.json", "g000003", "g000003-", "000003-ab748f714f", "g3-ab748f714f", "g000003-AB748f714f", "g00000x-ab748f714f", "g000003-ab748f714f/.."} {
		if IsGenerationID(other) {
			t.Errorf("%q is accepted", other)
		}
	}
}

func TestSHA256Hex(t *testing.T) {
	const want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // FIPS 180-4, "abc"
	if got := SHA256Hex([]byte("abc")); got != want {
		t.Errorf("got %s", got)
	}
}
