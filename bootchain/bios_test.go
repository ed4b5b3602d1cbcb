package bootchain_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

// A boot by BIOS is recognized, and what the boot sector leads to is not
// predicted.
func TestBIOS(t *testing.T) {
	l := eventlog.New(pcr.SHA256)
	l.Measure(0, eventlog.SCRTMVersion, []byte("SeaBIOS"), []byte("SeaBIOS"))
	l.Measure(4, eventlog.ActionType, []byte("Calling INT 19h"), []byte("Calling INT 19h"))
	l.Measure(4, eventlog.IPL, []byte("MBR"), make([]byte, 440))
	l.Measure(5, eventlog.IPLPartitionData, []byte("MBR PARTITION"), make([]byte, 72))
	files := bootchain.Manifest{Volumes: []bootchain.Volume{{Files: map[string]bootchain.File{}}}}
	paths, err := bootchain.Machine{Log: l, Files: files}.Paths()
	if err != nil || len(paths) != 1 {
		t.Fatalf("%d paths, %v", len(paths), err)
	}
	p := paths[0]
	var doubted []int
	for _, d := range p.Doubts {
		doubted = append(doubted, d.PCR)
	}
	if !strings.HasPrefix(p.Name, "BIOS") || !slices.Equal(doubted, []int{4, 5, 8, 9}) || len(p.Events) != len(l.Events) {
		t.Errorf("path %q with %d events, doubts %v", p.Name, len(p.Events), p.Doubts)
	}
}
