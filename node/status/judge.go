package status

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// Judge tells what facts mean: whether everything is in order, and what to do where it
// is not.
func Judge(f *Facts) *Report {
	line, pcrs := judgeLog(f)
	boot := append(judgeFirmware(f), line, judgePlatform(&f.Platform))
	boot = append(boot, judgeAzure(&f.Platform)...)
	sections := []Section{{Name: "TPM", Lines: judgeWholeTPM(f)}, {Name: "boot", Lines: boot}}
	sections = append(sections, judgeVolumes(f)...)
	system := append(judgeHooks(f), judgeClock(f)...)
	r := newReport(append(sections, Section{Name: "system", Lines: system})...)
	r.PCRs = pcrs
	for i := range f.Volumes {
		r.Volumes = append(r.Volumes, f.reportVolume(&f.Volumes[i]))
	}
	return r
}

// reportVolume is what there is to know of a volume, for programs.
func (f *Facts) reportVolume(v *Volume) VolumeReport {
	r := VolumeReport{Tokens: []TokenReport{}, Recovery: []int{}, LastUnlock: v.Note, Unfinished: v.Unfinished, Kept: v.Kept}
	var ways []Way
	if f.Prediction != nil {
		ways = Foresee(f.Prediction, v)
	}
	r.VolumeCheck = Check(v, ways, FallbackOthers)
	if v.Enrollment == nil {
		return r
	}
	r.Recovery = append(r.Recovery, v.Enrollment.Recovery...)
	now := f.openNow(v)
	for _, k := range v.keys() {
		token := TokenReport{ID: k.ID, Type: k.Token.Token.Type(), Keyslots: k.Token.Token.Slots(), Bank: k.Banks[0], PCRs: k.PCRs, PIN: k.PIN,
			Now: slices.Contains(now, k.ID), Refused: v.Refused[k.ID]}
		if k.Signed != nil {
			token.SignedPCRs = &k.Signed.PCRs
		}
		if k.Guard != nil {
			token.Guard = &k.Guard.Value
		}
		if k.Expect != nil {
			token.Label = k.Expect.Label
		}
		r.Tokens = append(r.Tokens, token)
	}
	return r
}

func judgeWholeTPM(f *Facts) []Line {
	lines := []Line{judgeDevices(f)}
	if f.TPM != nil {
		lines = append(append(lines, judgeTPM(f.TPM)...), judgeLockout(f.TPM, f.Volumes))
	}
	// Without any device, why it cannot be opened is said already.
	if f.TPMErr != nil && (f.TPM != nil || f.OtherTPM != "" || f.Devices.Managed.Found || f.Devices.Raw.Found) {
		lines = append(lines, judgeAccess(f))
	}
	return lines
}

// judgeClock notices a clock that was reset. Nothing that opens a disk depends on it.
func judgeClock(f *Facts) []Line {
	if f.Written.IsZero() || f.Clock.After(f.Written.Add(-24*time.Hour)) {
		return nil
	}
	return []Line{{What: "clock", Verdict: Warn,
		Says: fmt.Sprintf("%s, and the list of volumes is of %s: it was reset. No disk depends on it; certificates and logs do",
			f.Clock.UTC().Format(time.DateOnly), f.Written.UTC().Format(time.DateOnly)),
		Remedy: "have it set by NTP (chrony, systemd-timesyncd); its battery may be empty"}}
}

func isPermission(err error) bool { return errors.Is(err, fs.ErrPermission) }
