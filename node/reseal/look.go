package reseal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/node/state"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
)

// look reads the header, the state folder and the TPM's PCRs.
func (r *run) look(ctx context.Context) error {
	h, err := r.Volume.Header()
	if errors.Is(err, luks.ErrDamaged) && !r.DryRun {
		h, err = r.restore(ctx, err)
	}
	if err != nil {
		return err
	}
	r.header, r.UUID = h, h.UUID
	if err := state.CheckUUID(r.UUID); err != nil {
		return err
	}
	if r.journal, err = ReadJournal(r.State, r.UUID); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if r.journal != nil {
		r.Resumed = r.journal.Doing
	}
	e := enrollment.Inspect(h)
	if err := r.readTPM(e); err != nil {
		return err
	}
	r.volume = plan.Volume{Enrollment: e, Running: plan.Running(r.now, r.Log)}
	if err := r.findKeyslot(); err != nil {
		return err
	}
	if r.volume.Pending, err = ReadPending(r.State, r.UUID); err != nil {
		return err
	}
	retired, err := ReadRetired(r.State, r.UUID)
	if err != nil {
		return err
	}
	for _, boot := range retired {
		r.volume.Retired = append(r.volume.Retired, boot.Text)
	}
	r.lookAtParent()
	return r.lookAtGuard()
}

// restore brings back the header from the backup of a run that was cut off. Both copies
// are damaged then, which no power cut does to cryptsetup's writes.
func (r *run) restore(ctx context.Context, damage error) (*luks.Header, error) {
	uuid, ok := r.backupOf(r.Volume.Path())
	if !ok {
		return nil, damage
	}
	dir, err := state.Folder(r.State, uuid)
	if err != nil {
		return nil, err
	}
	err = r.effect("restore the header", func() error { return r.Volume.RestoreHeader(ctx, filepath.Join(dir, backupName)) })
	if err != nil {
		return nil, errors.Join(damage, err)
	}
	r.Restored = true
	r.warn("the header was damaged (%v), and is again as it was before the last %s", damage, r.what())
	return r.Volume.Header()
}

// backupOf finds the volume whose journal was being worked off on the device.
func (r *run) backupOf(device string) (uuid string, ok bool) {
	entries, err := os.ReadDir(r.State)
	if err != nil {
		return "", false
	}
	for _, e := range entries {
		j, err := ReadJournal(r.State, e.Name())
		if err != nil || j.Device != device {
			continue
		}
		if _, err := os.Stat(filepath.Join(r.State, e.Name(), backupName)); err == nil {
			return e.Name(), true
		}
	}
	return "", false
}

// readTPM reads the PCRs of the banks that tokens are sealed to, and of SHA-256.
func (r *run) readTPM(e *enrollment.Enrollment) error {
	banks := []pcr.Bank{pcr.SHA256}
	if r.Options.Bank != 0 {
		banks = append(banks, r.Options.Bank)
	}
	for i := range e.Tokens {
		if k := e.Tokens[i].Key(); k != nil && k.Bank != 0 {
			banks = append(banks, k.Bank)
		}
	}
	have, err := seal.Banks(r.TPM)
	if err != nil {
		return err
	}
	slices.Sort(banks)
	r.now = pcr.Values{}
	for _, b := range slices.Compact(banks) {
		if !slices.Contains(have, b) {
			continue // its tokens do not open
		}
		read, err := seal.ReadPCRs(r.TPM, pcr.BankSelection{Bank: b, PCRs: pcr.AllPCRs})
		if err != nil {
			return err
		}
		r.now[b] = read[b]
	}
	return nil
}

// findKeyslot decides which keyslot is the current one. Where an exchange was cut off it
// is the one that opens now, or that of the bootseal token; the others are former.
func (r *run) findKeyslot() error {
	v := &r.volume
	slot, err := plan.Keyslot(v.Enrollment)
	if r.journal == nil || len(r.journal.Former) == 0 {
		if err == nil {
			v.Keyslot, err = slot, r.hasKeyslot(slot)
		}
		return err
	}
	candidates := append([]int{r.journal.Keyslot}, r.journal.Former...)
	v.Keyslot = r.journal.Keyslot
	if err == nil {
		v.Keyslot = slot
	}
	for _, values := range v.Running {
		for _, id := range v.Fits(values) {
			if s := v.Token(id).Key().Keyslot; slices.Contains(candidates, s) {
				v.Keyslot = s
			}
		}
	}
	v.Former = nil
	for _, s := range candidates {
		if _, there := v.Keyslots[s]; there && s != v.Keyslot {
			v.Former = append(v.Former, s)
		}
	}
	return r.hasKeyslot(v.Keyslot)
}

func (r *run) hasKeyslot(slot int) error {
	if _, there := r.volume.Keyslots[slot]; !there {
		return fmt.Errorf("keyslot %d, which the tokens are for, is gone: enroll the volume again (bootseal enroll)", slot)
	}
	return nil
}

// lookAtParent tells tokens that this TPM takes from those of another one, of a time before
// it was cleared, and from damaged ones: it has the TPM load each object once.
func (r *run) lookAtParent() {
	tried := map[string]bool{}
	r.volume.Usable = func(k *enrollment.Key) bool {
		if r.Release != 0 && r.Release < luks.Systemd255 && k.Parent.Template == "" && k.Guard == nil || r.dead(k) {
			return false // that systemd does not open it, or nothing does any more
		}
		object := string(k.Object.Private) + string(k.Object.Public)
		takes, known := tried[object]
		if !known {
			takes = r.takes(k)
			tried[object] = takes
		}
		return takes
	}
}

// takes has the TPM load a token's object. One that the TPM gives no answer about, as in
// lockout, is believed to be good.
func (r *run) takes(k *enrollment.Key) bool {
	p := k.Parent
	if len(p.Name) == 0 {
		p.Name = r.Request.Parent
	}
	err := seal.Takes(r.TPM, &seal.Sealed{Parent: p, Public: k.Object.Public, Private: k.Object.Private})
	var parent *seal.ParentError
	var foreign *seal.ForeignError
	return !errors.As(err, &parent) && !errors.As(err, &foreign)
}

// plan decides.
func (r *run) plan() error {
	own := r.ownTokens()
	r.choice = r.choose(own)
	r.Bank, r.PCRs, r.Keyslot = r.choice.Bank, r.choice.PCRs, r.volume.Keyslot
	if r.choice.PCRs == 0 {
		c, err := plan.Choose(r.Prediction, r.Options)
		if err != nil {
			return err
		}
		r.choice = c
		r.Bank, r.PCRs = c.Bank, c.PCRs
	}
	r.boots, r.left = plan.Boots(r.Prediction, r.choice)
	r.leaveChanged()
	r.volume.PIN = slices.ContainsFunc(own, func(k *enrollment.Key) bool { return k.PIN })
	if r.volume.TokenSize == 0 {
		r.volume.TokenSize = tokenSize
	}
	if err := r.makePlan(); err != nil {
		return err
	}
	if err := r.planGuarded(); err != nil {
		return err
	}
	r.Plan.Left = append(r.Plan.Left, r.left...)
	r.judge()
	return nil
}

// leaveChanged leaves out the boots with something that came up while the machine was off.
func (r *run) leaveChanged() {
	r.boots = slices.DeleteFunc(r.boots, func(b plan.Boot) bool {
		what := r.BootFiles.Refuse(b.Log)
		if what != "" {
			r.left = append(r.left, plan.Left{Label: b.Label, Reason: fmt.Sprintf("%s was changed while this machine was off. "+
				"If that was you: bootseal reseal --accept-offline-changes", what)})
		}
		return what != ""
	})
}

func (r *run) makePlan() (err error) {
	switch {
	case r.Retire != "":
		r.Plan, err = plan.Retire(r.volume, r.boots, r.Retire, r.Force)
	case r.Commit:
		r.Plan, err = plan.Commit(r.volume, r.boots)
	default:
		r.Plan = plan.Reseal(r.volume, r.boots)
	}
	return err
}

// tokenSize is what a token takes in a header, in bytes: five PCRs, no PIN, an ECC parent.
// The texts tell better, once they are there.
const tokenSize = 800

// ownTokens are those of the current keyslot, or else of former ones, the running boot's
// first.
func (r *run) ownTokens() []*enrollment.Key {
	var first, rest []*enrollment.Key
	var running []int
	for _, values := range r.volume.Running {
		running = append(running, r.volume.Fits(values)...)
	}
	slots := append([]int{r.volume.Keyslot}, r.volume.Former...)
	for i := range r.volume.Tokens {
		k := r.volume.Tokens[i].Key()
		if k == nil || !slices.Contains(slots, k.Keyslot) {
			continue
		}
		if slices.Contains(running, r.volume.Tokens[i].ID) {
			first = append(first, k)
		} else {
			rest = append(rest, k)
		}
	}
	return append(first, rest...)
}

// choose keeps the PCRs of the tokens that are there, unless others are asked for.
func (r *run) choose(own []*enrollment.Key) plan.Choice {
	if len(own) == 0 || r.Options.PCRs != 0 || r.Options.Bank != 0 {
		return plan.Choice{}
	}
	sel := pcr.BankSelection{Bank: own[0].Bank, PCRs: own[0].PCRs}
	if sel.Bank == 0 {
		sel.Bank = pcr.SHA256
	}
	return plan.Keep(sel, r.Log, r.Options)
}

// judge finds out whether the likeliest way to boot will open the volume.
func (r *run) judge() {
	r.Next = plan.Label(r.Prediction.Paths[0].Name)
	for i := range r.Prediction.Paths {
		if p := &r.Prediction.Paths[i]; p.Halts == "" {
			r.Next = plan.Label(p.Name)
			break
		}
	}
	isNext := func(label string) bool { return label == r.Next }
	r.Opens = slices.ContainsFunc(r.Plan.Add, func(b plan.Boot) bool { return isNext(b.Label) }) ||
		slices.ContainsFunc(r.Plan.Keep, func(k plan.Kept) bool { return k.Boot != nil && isNext(k.Boot.Label) })
}
