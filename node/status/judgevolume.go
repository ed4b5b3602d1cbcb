package status

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/node/volumes"
	"github.com/bootseal/bootseal/predict"
)

func judgeVolumes(f *Facts) []Section {
	var out []Section
	if f.VolumesErr != nil {
		out = append(out, Section{Name: "volumes", Lines: []Line{{What: "list", Verdict: Bad, Says: f.VolumesErr.Error(),
			Remedy: "put it back from a backup, or enroll again: the initial ramdisk reads it, too"}}})
	}
	for i := range f.Volumes {
		v := &f.Volumes[i]
		name := "volume " + v.title()
		if v.Path != "" && v.title() != v.Path {
			name += " on " + v.Path
		}
		out = append(out, Section{Name: name, Lines: judgeVolume(f, v)})
	}
	if len(out) == 0 {
		out = append(out, Section{Name: "volumes", Lines: []Line{{What: "enrolled", Verdict: Warn, Says: "no volume asks the TPM for its key",
			Remedy: "bootseal enroll DEVICE"}}})
	}
	return out
}

func judgeVolume(f *Facts, v *Volume) []Line {
	lines := []Line{judgeHeader(v)}
	if v.Enrollment == nil {
		return lines
	}
	lines = append(lines, judgeTokens(f, v)...)
	lines = append(lines, judgeSigned(f, v)...)
	lines = append(lines, judgeNote(v)...)
	lines = append(lines, judgeNext(f, v)...)
	return append(lines, judgeFallback(v), judgeState(v))
}

func judgeHeader(v *Volume) Line {
	l := Line{What: "header", Verdict: Bad}
	switch {
	case isPermission(v.Err):
		l.Verdict, l.Says, l.Remedy = Unknown, "only root can read "+v.Path, "run this as root"
	case errors.Is(v.Err, fs.ErrNotExist):
		l.Says, l.Remedy = v.Path+" is not there", "is the disk attached? If the volume is gone for good: bootseal unenroll "+v.UUID
	case errors.Is(v.Err, luks.ErrDamaged):
		l.Says = v.Err.Error()
		l.Remedy = "do not reboot. bootseal reseal puts back what a reseal that was cut off had saved; else cryptsetup repair " + v.Path + ", or luksHeaderRestore from a backup"
	case v.Err != nil:
		l.Says, l.Remedy = v.Err.Error(), "look at what is on "+v.Path+": cryptsetup luksDump"
	case v.Listed && v.Header.UUID != v.UUID:
		l.Says, l.Remedy = fmt.Sprintf("its UUID is %s, and %s was enrolled", v.Header.UUID, v.UUID), "somebody put another volume in its place, or formatted it: find out which"
	default:
		return judgeRoom(v)
	}
	return l
}

// judgeRoom tells how much of the header is used.
func judgeRoom(v *Volume) Line {
	room := v.Enrollment.Room
	l := Line{What: "header", Verdict: OK, Says: fmt.Sprintf("LUKS2, %d keyslots, %d tokens, %d bytes free", len(v.Enrollment.Keyslots), luks.MaxTokens-room.Tokens, room.Bytes)}
	if v.Header.Stale != nil {
		l.Verdict, l.Says = Warn, "one of its two copies is not as good: "+v.Header.Stale.Error()
		l.Remedy = "cryptsetup mends it when it next writes to the header: bootseal reseal"
	}
	const perBoot = 1300 // bytes that a token and its expectation take
	switch {
	case room.Keyslots == 0:
		l.Verdict, l.Says = Warn, fmt.Sprintf("all %d keyslots are used: no key can be added or replaced", luks.MaxKeyslots)
		l.Remedy = "remove one that nobody needs: cryptsetup luksDump " + v.Path + ", then cryptsetup luksKillSlot"
	case room.Tokens == 0 || room.Bytes < perBoot:
		l.Verdict, l.Says = Warn, fmt.Sprintf("full: %d tokens and %d bytes are free, and another boot takes some %d", room.Tokens, room.Bytes, perBoot)
		l.Remedy = "bootseal reseal --commit drops the tokens of boots that are over; cryptsetup token remove those of others"
	}
	return l
}

// judgeTokens lists the tokens and what each is for.
func judgeTokens(f *Facts, v *Volume) []Line {
	now := f.openNow(v)
	l := Line{What: "tokens", Verdict: OK}
	usable := 0
	keys := v.keys()
	for i := range keys {
		text, ok := tokenText(&keys[i], v, slices.Contains(now, keys[i].ID))
		l.More = append(l.More, text)
		if ok {
			usable++
		}
	}
	for i := range v.Enrollment.Tokens {
		t := &v.Enrollment.Tokens[i]
		if c, ok := t.Token.(*luks.Clevis); ok {
			l.More = append(l.More, fmt.Sprintf("%d: clevis, %s", t.ID, c.Pin))
		}
	}
	for _, err := range v.Enrollment.Problems {
		l.More = append(l.More, err.Error())
	}
	l.Says = "sealed to " + countOf(len(keys), "boot")
	switch {
	case len(keys) == 0:
		l.Verdict, l.Says, l.Remedy = Warn, "none that a TPM is asked for", "bootseal enroll "+v.Path
		if v.asksTPM() {
			l.Remedy = "bootseal adopt " + v.Path
		}
		return []Line{l}
	case usable == 0:
		l.Verdict, l.Says = Bad, "this TPM takes none of them: it was cleared, or is another one"
		l.Remedy = "bootseal reseal --key-file FILE, with the recovery key, seals to this TPM; find out first who cleared it"
	case len(v.Enrollment.Problems) > 0:
		l.Verdict, l.Says = Warn, l.Says+fmt.Sprintf(", %d damaged", len(v.Enrollment.Problems))
		l.Remedy = "the others work all the same; drop it: cryptsetup token remove --token-id N " + v.Path
	}
	lines := []Line{l}
	if len(f.Values) > 0 && usable > 0 && len(now) == 0 && !slices.ContainsFunc(keys, func(k key) bool { return k.Opaque || k.Signed != nil }) {
		lines = append(lines, Line{What: "this boot", Verdict: Warn, Says: "no token is for it, so that a reboot into the same would ask for a key",
			Remedy: "if you know why this boot is another: bootseal reseal"})
	}
	return lines
}

// judgeSigned tells where a signature opens nothing any more, because what stands beside the
// signed PCRs is not as it was: no reseal makes such a token anew.
func judgeSigned(f *Facts, v *Volume) []Line {
	var moved []string
	for _, k := range v.keys() {
		if k.Signed == nil || k.Opaque {
			continue
		}
		if f.Prediction == nil || slices.ContainsFunc(f.Prediction.Paths, func(p predict.Path) bool {
			return p.Halts == "" && (k.fits(p.PCRs) || k.PCRs.Without(p.Known(k.Banks[0])) != 0)
		}) {
			return nil
		}
		moved = append(moved, fmt.Sprintf("token %d (PCR %s)", k.ID, k.PCRs))
	}
	if len(moved) == 0 {
		return nil
	}
	return []Line{{What: "signed", Verdict: Warn, Says: "a signature opens it in no coming boot, since the PCRs beside the signed ones have moved: " + strings.Join(moved, ", "),
		Remedy: "bootseal enroll --force --signed-policy FILE, with the public key"}}
}

// tokenText is a token in a line, and whether this TPM takes it.
func tokenText(k *key, v *Volume, now bool) (string, bool) {
	text := fmt.Sprintf("%d: %s %s", k.ID, k.Banks[0], k.PCRs)
	if k.PCRs == 0 {
		text = fmt.Sprintf("%d: no PCRs", k.ID)
	}
	if k.Expect != nil {
		text += ", " + short(k.Expect.Label)
	}
	if k.PIN {
		text += ", PIN"
	}
	if k.Signed != nil {
		text += fmt.Sprintf(", PCR %s signed", k.Signed.PCRs)
	}
	if k.Guard != nil {
		text += ", rollback guard"
	}
	if k.Opaque {
		text += ", a policy that is not known"
	}
	if now {
		text += ", this boot"
	}
	why, refused := v.Refused[k.ID]
	if refused {
		text += ": " + why
	}
	return text, !refused
}

// openNow returns the tokens that were for the running boot, at the moment when it
// unlocked its disks.
func (f *Facts) openNow(v *Volume) []int {
	var out []int
	for _, values := range plan.Running(f.Values, f.Log.Log) {
		for _, k := range v.keys() {
			if !k.Opaque && k.fits(values) && k.Approved(values, v.Signatures) {
				out = append(out, k.ID)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// judgeNote tells how this boot opened the volume.
func judgeNote(v *Volume) []Line {
	n := v.Note
	if n == nil {
		return nil
	}
	l := Line{What: "last unlock", Verdict: OK}
	switch {
	case n.By == volumes.ByToken:
		l.Says = fmt.Sprintf("by the TPM, token %d", *n.Token)
		if n.Label != "" {
			l.Says += " (" + short(n.Label) + ")"
		}
		return []Line{l}
	case n.By == volumes.ByRecoveryKey:
		l.Says = "by the recovery key"
	default:
		l.Says = "by a passphrase"
	}
	l.Verdict = Warn
	if n.Reason != "" {
		l.Says += ": " + n.Reason
	}
	for _, d := range n.Differences {
		text := fmt.Sprintf("%s PCR %d was not as expected", d.Bank, d.PCR)
		if d.Event != "" {
			text += ": " + d.Event
		}
		l.More = append(l.More, text)
	}
	l.Remedy = noteRemedy(n.Why)
	return []Line{l}
}

func noteRemedy(why volumes.Why) string {
	switch why {
	case volumes.WhyPCRs, volumes.WhyNoToken:
		return "if you know why this boot was another, bootseal reseal; if not, treat the machine as tampered with"
	case volumes.WhySignature:
		return "if you know this boot, " + signOrReseal + "; if not, treat the machine as tampered with"
	case volumes.WhyParent, volumes.WhyStale:
		return "bootseal reseal --key-file FILE, with the recovery key, seals to this TPM; find out first who changed it"
	case volumes.WhyLockout, volumes.WhyPIN:
		return "wait until the TPM forgets the wrong PINs; find out who tried them"
	case volumes.WhyNoTPM, volumes.WhyTPM:
		return "look at the kernel's messages about the TPM: journalctl -b -k -g tpm; is its driver in the initial ramdisk?"
	}
	return "journalctl -b -u 'systemd-cryptsetup*' may have more"
}

// judgeNext tells whether the next boot opens the volume.
func judgeNext(f *Facts, v *Volume) []Line {
	if !v.asksTPM() {
		return nil
	}
	if f.Prediction == nil {
		l := Line{What: "next boot", Verdict: Unknown, Says: "it cannot be predicted"}
		if f.PredictionErr != nil {
			l.Says += ": " + f.PredictionErr.Error()
		}
		return []Line{l}
	}
	c := Check(v, Foresee(f.Prediction, v), FallbackOthers)
	var lines []Line
	var others []Checked
	for _, w := range c.Ways {
		switch {
		case w.Default || w.Outcome == Halts && w.Verdict == Bad:
			lines = append(lines, Line{What: "next boot", Verdict: w.Verdict, Says: w.Says, More: moreAbout(&w), Remedy: w.Remedy})
		case w.Outcome != Halts:
			others = append(others, w)
		}
	}
	return append(lines, judgeOthers(others, c.Fallback)...)
}

// judgeOthers sums up the ways that the boot does not go by itself. That they rely on a
// key which is there is how it should be; "bootseal check" lists them.
func judgeOthers(ways []Checked, fallback string) []Line {
	if len(ways) == 0 {
		return nil
	}
	l := Line{What: "other ways", Verdict: OK}
	opened := 0
	for _, w := range ways {
		switch {
		case w.Outcome == Opens:
			opened++
		case w.Verdict != Warn:
			l.Verdict, l.Remedy = l.Verdict.Worse(w.Verdict), "bootseal check lists them"
		}
	}
	l.Says = fmt.Sprintf("%d of %d open by the TPM", opened, len(ways))
	if opened < len(ways) {
		l.Says += ", the rest by " + orNothing(fallback)
	}
	return []Line{l}
}

// moreAbout names a way, unless its token's label did, and says why no token is for it.
func moreAbout(w *Checked) []string {
	if w.Outcome == Opens && short(w.Name) == short(w.Label) {
		return w.Why
	}
	return append([]string{w.Title()}, w.Why...)
}

func judgeFallback(v *Volume) Line {
	l := Line{What: "recovery", Verdict: OK, Says: v.Fallback()}
	switch {
	case l.Says == "":
		l.Verdict, l.Says = Warn, "nothing opens this volume but the TPM"
		l.Remedy = "make a recovery key while it is open: systemd-cryptenroll --recovery-key " + v.Path
	case !strings.HasPrefix(l.Says, "the recovery key"):
		l.Says += "; there is no recovery key"
	}
	return l
}

func judgeState(v *Volume) Line {
	l := Line{What: "reseal", Verdict: OK, Says: "the secret is kept, so that a reseal asks nobody"}
	switch {
	case v.Unfinished == "reseal":
		l.Verdict, l.Says = Warn, "one began and did not end (power cut, kill): nothing is lost"
		l.Remedy = "bootseal reseal finishes it, or undoes it"
	case v.Unfinished == "enroll":
		l.Verdict, l.Says = Warn, "an enrollment began and did not end (power cut, kill): nothing is lost"
		l.Remedy = "bootseal enroll " + v.Path + " again: it takes away what was half done"
	case !v.Kept:
		l.Says = "no secret is kept: after a boot by recovery key, a reseal asks for it"
	}
	return l
}

func countOf(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
