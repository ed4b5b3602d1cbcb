package enroll_test

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/node/enroll"
	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
)

// What changes with each image must not stand beside the signature, which is for images to come.
func TestBeside(t *testing.T) {
	pcrs := map[int]pcr.Digest{4: nil, 7: nil, 9: nil, 11: nil, 12: nil}
	for _, tt := range []struct{ signed, want pcr.Selection }{
		{pcr.Select(11), pcr.Select(7, 12)},
		{pcr.Select(12), pcr.Select(4, 7, 9, 11)},
	} {
		if got := slices.Sorted(maps.Keys(enroll.Beside(pcrs, tt.signed))); !slices.Equal(got, tt.want.Indexes()) || len(pcrs) != 5 {
			t.Errorf("PCR %s is signed: %v, want %s", tt.signed, got, tt.want)
		}
	}
}

// PCR 11 alone says nothing of who has extended it: only with Secure Boot, or with the programs
// in the policy, is a signature more than a password that everybody knows.
func TestCheckSigned(t *testing.T) {
	on := recorded(t, boots.First)
	off, none := on, on
	log := *on.Log
	log.Events = slices.Clone(log.Events)
	for i := range log.Events {
		if e := &log.Events[i]; e.Type == eventlog.EFIVariableConfig && bytes.Contains(e.Data, []byte("S\x00e\x00c\x00u\x00r\x00e\x00B")) {
			e.Data = bytes.Clone(e.Data)
			e.Data[len(e.Data)-1] = 0
		}
	}
	off.Log, none.Log = &log, nil
	lax := on
	told := *on.Log
	told.Events = append(slices.Clone(told.Events), eventlog.Event{PCR: 14, Type: eventlog.IPL, Data: []byte("MokSBState\x00"),
		Digests: map[pcr.Bank]pcr.Digest{pcr.SHA256: pcr.SHA256.Sum([]byte{1})}})
	lax.Log = &told
	without7 := on
	without7.PCRs = map[int]pcr.Digest{4: nil, 11: nil}
	for _, tt := range []struct {
		name   string
		boot   plan.Boot
		signed pcr.Selection
		fine   bool
	}{
		{"Secure Boot is on", on, pcr.Select(11), true},
		{"Secure Boot is off", off, pcr.Select(11), false},
		{"shim does not validate", lax, pcr.Select(11), false},
		{"it is not known", none, pcr.Select(11), false},
		{"PCR 7 is not sealed to", without7, pcr.Select(11), false},
		{"PCR 7 is signed", without7, pcr.Select(7, 11), true},
		{"the programs are signed", off, pcr.Select(4, 11), true},
		{"the programs stand beside", off, pcr.Select(9), true},
	} {
		err := enroll.CheckSigned(&seal.Signed{PCRs: tt.signed}, []plan.Boot{on, tt.boot})
		var p *enroll.Problem
		if tt.fine && err != nil || !tt.fine && (!errors.As(err, &p) || !strings.Contains(p.Remedy(), "--signed-pcrs 4,11")) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
