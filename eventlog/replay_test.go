package eventlog_test

import (
	"strings"
	"testing"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

func replay(t *testing.T, l *eventlog.Log) pcr.Values {
	t.Helper()
	v, err := l.Replay()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func locality(n byte) []byte { return append([]byte("StartupLocality\x00"), n) }

func TestReplayNoActionNeverCounts(t *testing.T) {
	l := small()
	before := replay(t, l)
	l.Measure(4, eventlog.NoAction, []byte("x"), []byte("x")) // with a digest, even
	if !replay(t, l).Equal(before) {
		t.Error("an EV_NO_ACTION event was extended")
	}
}

func TestReplayStartupLocality(t *testing.T) {
	hcrtm := func(l *eventlog.Log) { l.Measure(0, eventlog.EFIHCRTMEvent, []byte("HCRTM"), []byte("code")) }
	for _, c := range []struct {
		name string
		make func(l *eventlog.Log)
		want byte
	}{
		{"no event", func(*eventlog.Log) {}, 0},
		{"locality 3", func(l *eventlog.Log) { l.Append(0, eventlog.NoAction, locality(3), nil) }, 3},
		{"said twice", func(l *eventlog.Log) {
			l.Append(0, eventlog.NoAction, locality(3), nil)
			l.Append(0, eventlog.NoAction, locality(3), nil)
		}, 3},
		{"H-CRTM without the event", hcrtm, 4},
		{"the event overrides H-CRTM", func(l *eventlog.Log) {
			hcrtm(l)
			l.Append(0, eventlog.NoAction, locality(0), nil)
		}, 0},
		{"H-CRTM is not first", func(l *eventlog.Log) {
			l.Measure(0, eventlog.SCRTMVersion, nil, nil)
			hcrtm(l)
		}, 0},
		{"too long to be the event", func(l *eventlog.Log) { l.Append(0, eventlog.NoAction, append(locality(3), 0), nil) }, 0},
		{"measured, so not the event", func(l *eventlog.Log) { l.Append(3, eventlog.EFIAction, locality(3), nil) }, 0},
	} {
		l := eventlog.New(pcr.SHA256)
		c.make(l)
		want := pcr.Reset(pcr.SHA256, 0, c.want)
		for _, e := range l.Events {
			if e.Measured() && e.PCR == 0 {
				want, _ = pcr.Extend(pcr.SHA256, want, e.Digests[pcr.SHA256])
			}
		}
		if got, _ := replay(t, l).Get(pcr.SHA256, 0); !got.Equal(want) {
			t.Errorf("%s: have %s, want %s", c.name, got, want)
		}
	}
}

func TestReplayRefusesImpossibleLocalities(t *testing.T) {
	for want, localities := range map[string][]byte{
		"startup locality 1: want 0, 3 or 4":                      {1},
		"startup locality 3 contradicts an earlier event's 0":     {0, 3},
		"event 2 (EV_NO_ACTION): startup locality 4 contradicts ": {3, 4},
	} {
		l := eventlog.New(pcr.SHA256)
		for _, n := range localities {
			l.Append(0, eventlog.NoAction, locality(n), nil)
		}
		if _, err := l.Replay(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("replay: have %v, want %s", err, want)
		}
		if _, err := eventlog.Parse(encode(t, l), eventlog.Limits{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parse: have %v, want %s", err, want)
		}
	}
}

// verdictOf verifies a log against values and returns the verdict for one PCR of
// SHA-256, and whether the whole verifies.
func verdictOf(t *testing.T, l *eventlog.Log, v pcr.Values, index int) (eventlog.Verdict, bool) {
	t.Helper()
	verdicts, err := eventlog.Verify(l, v)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range verdicts {
		if d.Bank == pcr.SHA256 && d.PCR == index {
			return d, eventlog.Verified(verdicts)
		}
	}
	return eventlog.Verdict{}, eventlog.Verified(verdicts)
}

// A log without any event of a PCR must not pass for one whose PCR is untouched.
func TestVerifyRemovedEvents(t *testing.T) {
	b := loadBoot(t, secondBoots[0])
	for _, index := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14} {
		l := b.log.Clone()
		var kept []eventlog.Event
		for _, e := range l.Events {
			if e.PCR != index || !e.Measured() {
				kept = append(kept, e)
			}
		}
		l.Events = kept
		l.Renumber()
		if v, ok := verdictOf(t, l, b.values, index); v.Result != eventlog.Differs || ok {
			t.Errorf("PCR %d: %s (%s), verified %v", index, v.Result, v.Reason, ok)
		}
	}
}

func TestVerifyOneBit(t *testing.T) {
	b := loadBoot(t, secondBoots[0])
	for i := range b.log.Events {
		l := b.log.Clone()
		e := &l.Events[i]
		if !e.Measured() {
			continue
		}
		e.Digests[pcr.SHA256][31] ^= 1
		if v, ok := verdictOf(t, l, b.values, e.PCR); v.Result != eventlog.Differs || ok {
			t.Errorf("event %d: %s, verified %v", i, v.Result, ok)
		}
	}
}

// The data is not what was extended: Verify goes by digests alone, and Check
// finds the data.
func TestVerifyIgnoresData(t *testing.T) {
	b := loadBoot(t, secondBoots[0])
	l := b.log.Clone()
	l.Events[52].Data = []byte("grub_cmd: linux /boot/evil\x00")
	l.Events[9].Type = eventlog.EFIAction
	if verdicts, err := eventlog.Verify(l, b.values); err != nil || !eventlog.Verified(verdicts) {
		t.Errorf("not verified (%v)", err)
	}
	if c := eventlog.Check(&l.Events[52]); c.Status != eventlog.Mismatch || len(c.Banks) != 4 {
		t.Errorf("have %v", c)
	}
}

func TestVerifyScope(t *testing.T) {
	one := make(pcr.Digest, 32)
	one[31] = 1
	extend := func(v pcr.Values, index int, words ...string) {
		d, _ := v.Get(pcr.SHA256, index)
		for _, w := range words {
			d, _ = pcr.Extend(pcr.SHA256, d, pcr.SHA256.Sum([]byte(w)))
		}
		v.Set(pcr.SHA256, index, d)
	}
	for _, c := range []struct {
		name   string
		index  int
		change func(l *eventlog.Log, v pcr.Values)
		want   eventlog.Agreement
		passes bool
	}{
		{"IMA has its own log", 10, func(_ *eventlog.Log, v pcr.Values) { extend(v, 10, "ima") }, eventlog.NotCovered, true},
		{"anybody can reset PCR 16", 16, func(l *eventlog.Log, v pcr.Values) {
			l.Measure(16, eventlog.EFIAction, []byte("x"), []byte("x"))
			extend(v, 16, "x") // equal, and still worth nothing
		}, eventlog.NotCovered, true},
		{"anybody can reset PCR 23", 23, func(_ *eventlog.Log, v pcr.Values) { v.Set(pcr.SHA256, 23, one) }, eventlog.NotCovered, true},
		{"a dynamic launch", 17, func(_ *eventlog.Log, v pcr.Values) { v.Set(pcr.SHA256, 17, one) }, eventlog.NotCovered, true},
		{"no measurement, not the reset value", 12, func(_ *eventlog.Log, v pcr.Values) { v.Set(pcr.SHA256, 12, one) }, eventlog.Differs, false},
		{"boot phases in the initrd", 11, func(_ *eventlog.Log, v pcr.Values) { extend(v, 11, "enter-initrd") }, eventlog.Agrees, true},
		{"all boot phases", 11, func(_ *eventlog.Log, v pcr.Values) {
			extend(v, 11, "enter-initrd", "leave-initrd", "sysinit", "ready")
		}, eventlog.Agrees, true},
		{"boot phases without an initrd", 11, func(_ *eventlog.Log, v pcr.Values) { extend(v, 11, "sysinit", "ready") }, eventlog.Agrees, true},
		{"boot phases out of order", 11, func(_ *eventlog.Log, v pcr.Values) { extend(v, 11, "ready", "sysinit") }, eventlog.Differs, false},
		{"a phase of another PCR", 12, func(_ *eventlog.Log, v pcr.Values) { extend(v, 12, "enter-initrd") }, eventlog.Differs, false},
		{"machine id in PCR 15", 15, func(_ *eventlog.Log, v pcr.Values) { extend(v, 15, "machine-id:0") }, eventlog.NotCovered, true},
		{"PCR 15 with events", 15, func(l *eventlog.Log, v pcr.Values) {
			l.Measure(15, eventlog.EFIAction, []byte("x"), []byte("x"))
			v.Set(pcr.SHA256, 15, one)
		}, eventlog.Differs, false},
		{"no value for a PCR with events", 4, func(_ *eventlog.Log, v pcr.Values) { delete(v[pcr.SHA256], 4) }, eventlog.NotGiven, false},
	} {
		l := small()
		v := replay(t, l)
		c.change(l, v)
		got, passes := verdictOf(t, l, v, c.index)
		if got.Result != c.want || passes != c.passes || got.Reason == "" {
			t.Errorf("%s: have %s (%s), verified %v; want %s, %v", c.name, got.Result, got.Reason, passes, c.want, c.passes)
		}
	}
}

// A bank without digests in the log is not covered, and nothing verifies if that
// is all there is.
func TestVerifyOtherBank(t *testing.T) {
	l := small()
	verdicts, err := eventlog.Verify(l, pcr.Values{pcr.SHA384: {4: make(pcr.Digest, 48)}})
	if err != nil || len(verdicts) != 1 || verdicts[0].Result != eventlog.NotCovered || eventlog.Verified(verdicts) {
		t.Errorf("have %+v, %v", verdicts, err)
	}
	// One that the header lists but no event has is: the PCR must hold its reset value.
	l.Events[1].Digests = map[pcr.Bank]pcr.Digest{pcr.SHA1: l.Events[1].Digests[pcr.SHA1]}
	v := replay(t, small())
	if got, ok := verdictOf(t, l, v, 4); got.Result != eventlog.Differs || ok {
		t.Errorf("have %s", got.Result)
	}
}
