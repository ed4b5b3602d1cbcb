package eventlog_test

import (
	"testing"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

func BenchmarkParseReplay(b *testing.B) {
	data := loadBoot(b, secondBoots[0]).data
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		l, err := eventlog.Parse(data, eventlog.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := l.Replay(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExplain(b *testing.B) {
	l := loadBoot(b, secondBoots[0]).log
	for b.Loop() {
		eventlog.Explain(l)
	}
}

func BenchmarkCompare(b *testing.B) {
	x, y := loadBoot(b, secondBoots[0]).log, loadBoot(b, "a-shim-grub-sb/3-k56-upgraded").log
	for b.Loop() {
		if _, err := eventlog.Compare(x, y); err != nil {
			b.Fatal(err)
		}
	}
}

// The largest log that is accepted: time per byte must not grow with its size.
func BenchmarkParseLargest(b *testing.B) {
	l := eventlog.New(pcr.SHA256)
	for range 32000 {
		l.Measure(8, eventlog.IPL, make([]byte, 400), nil)
	}
	data := encode(b, l)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := eventlog.Parse(data, eventlog.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
