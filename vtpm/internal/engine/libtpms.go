package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/keygen"
	"github.com/bootseal/bootseal/vtpm/internal/libtpms"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// FromLibtpms returns the records of a TPM of the profile that goes on where a TPM of
// libtpms was. What the profile does not have is an error that names it. Left says what
// no TPM could take along.
func FromLibtpms(p Profile, commands CommandSet, s *libtpms.State) (map[string][]byte, error) {
	t := &TPM{Profile: p, Commands: p.commands(commands), clock: func() time.Duration { return 0 }}
	t.Clock.recorded = p.ClockInterval
	t.NV.manufacture()
	t.Objects.manufacture()
	for _, step := range []func(*libtpms.State) error{
		t.moveHierarchies, t.moveLockout, t.moveCommands, t.movePCRs, t.moveNV, t.moveObjects, t.moveShutdown,
	} {
		if err := step(s); err != nil {
			return nil, err
		}
	}
	t.moveClock(s)
	t.markAll()
	records := make(map[string][]byte)
	for r := range t.dirty {
		if b := t.encode(r); b != nil {
			records[string(r)] = b
		}
	}
	// It must be a state as any other.
	if _, err := t.onRecords(records); err != nil {
		return nil, fmt.Errorf("what was made of the state of libtpms: %w", err)
	}
	return records, nil
}

// Left says what a state of libtpms has that does not go along, in sentences.
func Left(s *libtpms.State) []string {
	var left []string
	x := &s.Profile
	whole := x.Name == "" || x.Name == "null" || strings.HasPrefix(x.Name, "default-")
	if !whole || x.Attributes != "" {
		left = append(left, fmt.Sprintf("the restrictions of libtpms' profile %q: what it forbids is allowed", x.Name))
	}
	if s.Reset != nil && s.Reset.SavedSessions > 0 {
		left = append(left, fmt.Sprintf("contexts of sessions outside of the TPM (%d): they can only be flushed", s.Reset.SavedSessions))
	}
	if s.Reset != nil && s.Reset.PendingCommits > 0 {
		left = append(left, fmt.Sprintf("commits of ECC keys that wait for their second step (%d)", s.Reset.PendingCommits))
	}
	return left
}

// PermanentBlob returns records as SavePermanent does those of a TPM.
func PermanentBlob(records map[string][]byte) ([]byte, error) {
	return sealBlob(permanentBlob, permanentBlobVersion, func(w *wire.Writer) error {
		writeRecords(w, records)
		return nil
	})
}

func (t *TPM) moveHierarchies(s *libtpms.State) error {
	h := &t.Hierarchies
	for _, x := range []struct {
		name string
		to   *Hierarchy
		from *libtpms.Hierarchy
	}{
		{"owner", &h.Owner, &s.Persistent.Owner},
		{"endorsement", &h.Endorsement, &s.Persistent.Endorsement},
		{"lockout", &h.Lockout, &s.Persistent.Lockout},
		{"platform", &h.Platform, &s.Persistent.Platform},
	} {
		x.to.Seed, x.to.SeedVersion, x.to.Proof = x.from.Seed, x.from.SeedLevel, x.from.Proof
		x.to.Auth = TrimAuth(x.from.Auth)
		var err error
		if x.to.Policy, x.to.PolicyAlg, err = t.movedPolicy(x.from.Policy, x.from.PolicyAlg); err != nil {
			return fmt.Errorf("the %s policy: %w", x.name, err)
		}
	}
	h.DisableClear = s.Persistent.DisableClear
	return nil
}

// movedPolicy returns an authPolicy, whose algorithm means nothing where there is
// none.
func (t *TPM) movedPolicy(policy []byte, alg wire.Alg) ([]byte, wire.Alg, error) {
	switch {
	case len(policy) == 0:
		return nil, wire.AlgNull, nil
	case !slices.Contains(t.Profile.Hashes, alg):
		return nil, 0, fmt.Errorf("profile %s does not have %v", t.Profile.Name, alg)
	case len(policy) != crypt.Size(alg):
		return nil, 0, fmt.Errorf("it has %d bytes and not those of %v", len(policy), alg)
	}
	return policy, alg, nil
}

func (t *TPM) moveLockout(s *libtpms.State) error {
	p, l := &s.Persistent, &t.Lockout
	l.FailedTries, l.MaxTries = p.FailedTries, p.MaxTries
	l.RecoveryTime, l.LockoutRecovery = p.RecoveryTime, p.LockoutRecovery
	l.AuthEnabled = p.LockoutAuthEnabled
	l.used = p.DAUsed
	if p.Shutdown != libtpms.ShutdownNone {
		// Commands after the Shutdown can leave a timer later than that.
		l.healWaited = uint64(max(0, int64(s.Orderly.Time-s.Orderly.SelfHealTimer)))
		l.lockWaited = uint64(max(0, int64(s.Orderly.Time-s.Orderly.LockoutTimer)))
	}
	return nil
}

func (t *TPM) moveClock(s *libtpms.State) {
	t.Clock.Clock, t.Clock.Safe = s.Orderly.Clock, s.Orderly.ClockSafe
	t.Clock.ResetCount, t.Clock.TotalResetCount = s.Persistent.ResetCount, s.Persistent.TotalResetCount
	t.Clock.Epoch = s.Persistent.TimeEpoch
	t.AlgorithmSet = s.Persistent.AlgorithmSet
	t.NV.MaxCounter = s.MaxCount
}

// moveCommands takes over which commands are audited, and need physical presence.
func (t *TPM) moveCommands(s *libtpms.State) error {
	p := &s.Persistent
	if !slices.Contains(t.Profile.Hashes, p.AuditAlg) {
		return fmt.Errorf("the command audit: profile %s does not have %v", t.Profile.Name, p.AuditAlg)
	}
	t.Audit = Audit{Alg: p.AuditAlg, Counter: p.AuditCounter, Commands: make(map[wire.CC]struct{})}
	for _, cc := range p.AuditCommands {
		if !t.Commands.Implemented(cc) {
			return fmt.Errorf("the command audit: profile %s does not have %v", t.Profile.Name, cc)
		}
		t.Audit.Commands[cc] = struct{}{}
	}
	t.presence = make(map[wire.CC]struct{})
	for _, cc := range p.Presence {
		if cc == wire.CCPPCommands {
			continue // needs it always
		}
		if !t.Commands.PresencePossible(cc) {
			return fmt.Errorf("%v needs physical presence, which profile %s cannot ask for", cc, t.Profile.Name)
		}
		t.presence[cc] = struct{}{}
	}
	return nil
}

func (t *TPM) movePCRs(s *libtpms.State) error {
	for _, bank := range s.Persistent.Allocated {
		if !slices.Contains(t.Profile.Banks, bank.Hash) {
			return fmt.Errorf("the PCRs: profile %s has no bank of %v", t.Profile.Name, bank.Hash)
		}
		if slices.ContainsFunc(t.PCR.Allocated, func(x wire.TPMSPCRSelection) bool { return x.Hash == bank.Hash }) {
			return fmt.Errorf("the PCRs: two banks of %v", bank.Hash)
		}
		t.PCR.Allocated = append(t.PCR.Allocated, bank)
	}
	// What the profile has besides can be allocated later.
	for _, alg := range t.Profile.Banks {
		if !slices.ContainsFunc(t.PCR.Allocated, func(x wire.TPMSPCRSelection) bool { return x.Hash == alg }) {
			t.PCR.Allocated = append(t.PCR.Allocated, wire.TPMSPCRSelection{Hash: alg, PCRSelect: make([]byte, PCRCount/8)})
		}
	}
	var err error
	t.PCR.group.policy, t.PCR.group.policyAlg, err = t.movedPolicy(s.Persistent.PCRPolicy, s.Persistent.PCRPolicyAlg)
	if err != nil {
		return fmt.Errorf("the policy of PCRs 20 to 22: %w", err)
	}
	return nil
}

func (t *TPM) moveNV(s *libtpms.State) error {
	for _, from := range s.Indices {
		x := &NVIndex{Public: from.Public, Auth: TrimAuth(from.Auth), Data: from.Data}
		h := x.Public.NVIndex
		if err := t.validNV(x); err != nil {
			return fmt.Errorf("NV index %v: %w", h, err)
		}
		t.NV.indices[h] = x
		t.MarkNV(h)
	}
	p := &t.Profile
	if len(t.NV.indices) > p.NVIndices || t.NV.used() > p.NVMemory || t.NV.orderlyUsed() > p.OrderlyMemory {
		return fmt.Errorf("%d NV indices of %d bytes are more than profile %s has room for", len(t.NV.indices), t.NV.used(), p.Name)
	}
	return nil
}

// validNV returns why the index is none of this profile.
func (t *TPM) validNV(x *NVIndex) error {
	if !slices.Contains(t.Profile.Hashes, x.Public.NameAlg) {
		return fmt.Errorf("profile %s does not have %v", t.Profile.Name, x.Public.NameAlg)
	}
	var w wire.Writer
	x.write(&w)
	r := wire.NewReader(w.Data(), t.Limits())
	new(NVIndex).read(r)
	if err := readAll(r); err != nil {
		return fmt.Errorf("it is none that could have been defined: %w", err)
	}
	return nil
}

func (t *TPM) moveObjects(s *libtpms.State) error {
	for _, from := range s.Objects {
		o := &Object{
			Public: from.Public, Sensitive: from.Sensitive, Name: from.Name, Qualified: from.Qualified,
			Hierarchy: from.Hierarchy, Primary: from.Primary,
		}
		o.Sensitive.AuthValue = TrimAuth(o.Sensitive.AuthValue)
		if err := t.validPersistent(from.Handle, o); err != nil {
			return fmt.Errorf("persistent object %v (%s): %w", from.Handle, describe(&o.Public), err)
		}
		t.Objects.persistent[from.Handle] = o
		t.MarkObject(from.Handle)
	}
	if n := len(t.Objects.persistent); n > t.Profile.PersistentObjects {
		return fmt.Errorf("%d persistent objects are more than profile %s has room for", n, t.Profile.Name)
	}
	return nil
}

// validPersistent returns why the object cannot be used with this profile. Its key is
// derived for once, so that a damaged one shows now and not in use.
func (t *TPM) validPersistent(h wire.Handle, o *Object) error {
	var w wire.Writer
	o.Public.Write(&w)
	defer clear(w.Data())
	if err := wire.Unmarshal(w.Data(), new(nullablePublic), t.Limits()); err != nil {
		return fmt.Errorf("profile %s does not have that: %w", t.Profile.Name, err)
	}
	if !slices.Equal(o.Name, crypt.ObjectName(&o.Public)) {
		return errors.New("its Name is not that of its public area")
	}
	if n := len(o.Qualified); n != len(o.Name) {
		return fmt.Errorf("its Qualified Name has %d bytes", n)
	}
	if platform := o.Hierarchy == wire.HandlePlatform; platform != (h >= wire.PlatformPersistent) {
		return errors.New("its handle is of another hierarchy than it is")
	}
	private, err := crypt.NewPrivate(&o.Public, &o.Sensitive)
	if err != nil {
		return fmt.Errorf("its private part is none for its public part: %w", err)
	}
	private.Clear()
	return nil
}

// nullablePublic is a public area whose nameAlg may be TPM_ALG_NULL.
type nullablePublic wire.TPMTPublic

func (p *nullablePublic) Read(r *wire.Reader) { (*wire.TPMTPublic)(p).ReadPlus(r) }

// describe says which algorithms an object has.
func describe(p *wire.TPMTPublic) string {
	symmetric := wire.TPMTSymDefObject{Algorithm: wire.AlgNull}
	text := p.Type.String()
	switch p.Type {
	case wire.AlgRSA:
		text += fmt.Sprintf(" of %d bits", p.Parameters.RSA.KeyBits)
		symmetric = p.Parameters.RSA.Symmetric
	case wire.AlgECC:
		text += fmt.Sprintf(" on %v", p.Parameters.ECC.CurveID)
		symmetric = p.Parameters.ECC.Symmetric
	case wire.AlgSymCipher:
		symmetric = p.Parameters.Sym.Sym
	}
	if symmetric.Algorithm != wire.AlgNull {
		text += fmt.Sprintf(", %v with %d bits", symmetric.Algorithm, symmetric.KeyBits)
	}
	return text + fmt.Sprintf(", nameAlg %v", p.NameAlg)
}

// moveShutdown takes over how the TPM was shut down, and what that saved.
func (t *TPM) moveShutdown(s *libtpms.State) error {
	switch s.Persistent.Shutdown {
	case libtpms.ShutdownClear:
		t.shutdown = shutdownRecord{kind: shutdownClear}
	case libtpms.ShutdownState:
		return t.moveSaved(s)
	}
	return nil
}

// moveSaved takes over what a Shutdown(STATE) has saved.
func (t *TPM) moveSaved(s *libtpms.State) error {
	reset, saved, h := s.Reset, s.Clear, &t.Hierarchies
	if reset.Null.SeedLevel != keygen.Version {
		return errors.New("the TPM was put to sleep with a seed of the null hierarchy that libtpms before 0.8 made: start it with swtpm, and shut it down")
	}
	h.Null.Seed, h.Null.Proof = reset.Null.Seed, reset.Null.Proof
	t.Sessions.contextCounter = max(1, reset.ContextCounter)
	t.Audit.Digest = reset.AuditDigest
	if n := len(t.Audit.Digest); n != 0 && n != crypt.Size(t.Audit.Alg) {
		return fmt.Errorf("the command audit: a digest of %d bytes is none of %v", n, t.Audit.Alg)
	}
	t.Clock.RestartCount = reset.RestartCount
	t.PCR.UpdateCounter = reset.PCRCounter
	t.Objects.ContextID, t.Objects.ClearCount = reset.ObjectContextID, reset.ClearCount

	h.Owner.Enabled, h.Endorsement.Enabled = saved.OwnerEnabled, saved.EndorsementEnabled
	h.PlatformNVEnabled = saved.PlatformNVEnabled
	h.Platform.Auth = TrimAuth(saved.Platform.Auth)
	var err error
	h.Platform.Policy, h.Platform.PolicyAlg, err = t.movedPolicy(saved.Platform.Policy, saved.Platform.PolicyAlg)
	if err != nil {
		return fmt.Errorf("the platform policy: %w", err)
	}
	t.PCR.powerOn()
	t.PCR.group.auth = TrimAuth(saved.PCRAuth)
	if err := t.movePCRValues(saved.PCRs); err != nil {
		return err
	}
	t.ACTs.powerOn(t.Profile.ACTs)
	t.shutdown = shutdownRecord{kind: shutdownState, hcrtm: s.Persistent.HCRTM, reset: t.resetState(), clear: t.clearState()}
	if s.Persistent.StartupLocality3 {
		t.shutdown.locality = 3
	}
	return nil
}

func (t *TPM) movePCRValues(banks []libtpms.PCRBank) error {
	for i := range t.PCR.banks {
		bank := &t.PCR.banks[i]
		from := slices.IndexFunc(banks, func(b libtpms.PCRBank) bool { return b.Alg == bank.alg })
		for pcr, v := range bank.values {
			if v == nil || !pcrAttributesOf(pcr).saved {
				continue
			}
			if from < 0 {
				return fmt.Errorf("the PCRs: no values of bank %v were saved", bank.alg)
			}
			copy(v, banks[from].Values[pcr])
		}
	}
	return nil
}
