//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// movable is a TPM behind which another one can be put.
type movable struct{ transport.TPM }

// move puts another TPM with the same state behind it.
func (m *movable) move(t *testing.T) {
	t.Helper()
	from := m.TPM.(*vtpmtest.TPM)
	to := vtpmtest.Open(t)
	for _, kind := range []vtpm.StateKind{vtpm.PermanentState, vtpm.VolatileState} {
		blob, err := from.SaveState(kind)
		if err != nil {
			t.Fatal(err)
		}
		if err := to.RestoreState(kind, blob); err != nil {
			t.Fatal(err)
		}
	}
	m.TPM = to
}

// What is held is there after a move and another one, and a check says what is lost with a reset.
func TestHold(t *testing.T) {
	tpm := &movable{vtpmtest.Open(t)}
	g := &guest{tpm: tpm}
	var a answer
	if err := g.do("hold", "", &a); err != nil {
		t.Fatal(err)
	}
	before := strings.Join(a.PCRs, "\n")
	for range 2 {
		tpm.move(t)
		if err := g.do("check", "", &a); err != nil {
			t.Fatal(err)
		}
		if strings.Join(a.PCRs, "\n") != before {
			t.Error("the PCRs are others")
		}
	}
	if err := g.held.extend(&movable{vtpmtest.Open(t)}); err != nil { // one that this TPM did not see
		t.Fatal(err)
	}
	if err := g.do("check", "", &a); err == nil || !strings.Contains(err.Error(), "one was lost") {
		t.Errorf("an extend is missing: %v", err)
	}
	g.held.chain = [32]byte{}
	tpm.TPM.(*vtpmtest.TPM).Init()
	if _, err := (tpm2.Startup{StartupType: tpm2.TPMSUClear}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
	if err := g.do("check", "", &a); err == nil || !strings.Contains(err.Error(), "the clock: resets") {
		t.Errorf("after a reset: %v", err)
	}
}

// What is kept is there after a reset, and a check says what is not as it was left.
func TestKeep(t *testing.T) {
	tpm := vtpmtest.Open(t)
	k, err := keep(tpm)
	if err != nil {
		t.Fatal(err)
	}
	tpm.Init()
	if _, err := (tpm2.Startup{StartupType: tpm2.TPMSUClear}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
	if err := k.check(tpm); err != nil {
		t.Error(err)
	}
	if err := k.check(tpm); err == nil || !strings.Contains(err.Error(), "the counter") {
		t.Errorf("the counter was not where it had been left: %v", err)
	}
}

// A host speaks in words, and is answered in lines; while the TPM is busy it can be moved.
func TestServe(t *testing.T) {
	var out bytes.Buffer
	if err := (&guest{tpm: vtpmtest.Open(t)}).serve(strings.NewReader("\ncheck\nhold\nbusy\ncheck\nnonsense\n"), &out); err != nil {
		t.Fatal(err)
	}
	var answers []answer
	for dec := json.NewDecoder(&out); dec.More(); {
		var a answer
		if err := dec.Decode(&a); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	if len(answers) != 5 || !strings.Contains(answers[0].Error, "nothing is held") || answers[1].Error != "" || answers[3].Error != "" ||
		!strings.Contains(answers[4].Error, "no such word") {
		t.Errorf("answers: %+v", answers)
	}
}
