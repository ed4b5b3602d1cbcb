package matrix

import (
	"bytes"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
)

// values are all banks of PCR 4, each filled with the byte.
func values(fill byte) pcr.Values {
	v := make(pcr.Values)
	for _, b := range pcr.Banks() {
		v[b] = map[int]pcr.Digest{4: bytes.Repeat([]byte{fill}, b.Size())}
	}
	return v
}

func TestCell(t *testing.T) {
	without := func(bank pcr.Bank) pcr.Values {
		v := values(1)
		delete(v[bank], 4)
		return v
	}
	other := values(1)
	other[pcr.SHA512][4][63]++
	for _, tt := range []struct {
		name              string
		predicted, actual pcr.Values
		want              Cell
	}{
		{"came true", values(1), values(1), Right},
		{"one bank is different", values(1), other, Wrong},
		{"one bank did not come out", values(1), without(pcr.SHA384), Wrong},
		{"said to be unknown", pcr.Values{}, values(1), Unknown},
		{"unknown in one bank", without(pcr.SHA1), values(1), Unknown},
		{"unknown in one bank, different in another", without(pcr.SHA1), other, Wrong},
	} {
		if got := cellOf(&predict.Path{PCRs: tt.predicted}, tt.actual, 4); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestPrintMatrix(t *testing.T) {
	cells := make(map[string]Cell)
	for _, c := range []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "11", "12", "13", "14"} {
		cells[c] = Right
	}
	cells["4"], cells["9"] = Wrong, Unknown
	r := &Report{Scenarios: []Chain{{Name: "n", Chain: "shim", Rows: []Row{
		{Change: "new kernel", PCRs: cells, What: "PCR 4: other", Kept: "kept/n-2", Doubts: []string{"PCR 9: who knows"}},
	}}}}
	if !r.Wrong() {
		t.Error("nothing was wrong")
	}
	var out strings.Builder
	r.Print(&out)
	for _, want := range []string{
		"| new kernel | yes | yes | yes | yes | NO | yes | yes | yes | yes | ? | yes | yes | yes | yes |",
		"- unknown, PCR 9: who knows", "- wrong, PCR 4: other; see kept/n-2",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
