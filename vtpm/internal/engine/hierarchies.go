package engine

import (
	"github.com/bootseal/bootseal/vtpm/internal/keygen"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// seedSize is the size of a primary seed and of a proof, in bytes: that of the
// largest implemented digest (Part 1, "Primary seed properties").
const seedSize = 64

// Hierarchy is one of the platform, storage, endorsement and null hierarchies.
type Hierarchy struct {
	Seed        []byte // primary seed
	SeedVersion uint8  // keygen.Version, or an older one for a seed that came from elsewhere
	Proof       []byte // keys tickets and saved contexts
	Auth        []byte // authValue
	Policy      []byte // authPolicy, empty when there is none
	PolicyAlg   wire.Alg
	Enabled     bool

	primaries []primary // the latest first: see Derive
}

// Hierarchies are the four hierarchies and the lockout authorization.
type Hierarchies struct {
	Owner, Endorsement, Platform, Null, Lockout Hierarchy

	PlatformNVEnabled bool // phEnableNV: NV indices of the platform can be used
	DisableClear      bool // TPM2_Clear is disabled (TPM2_ClearControl)
	ReadOnly          bool // TPM2_ReadOnlyControl
}

func (h *Hierarchies) manufacture(random func(int) ([]byte, error)) error {
	*h = Hierarchies{}
	for _, x := range []*Hierarchy{&h.Owner, &h.Endorsement, &h.Platform} {
		if err := x.Renew(random); err != nil {
			return err
		}
	}
	for _, x := range []*Hierarchy{&h.Owner, &h.Endorsement, &h.Platform, &h.Null, &h.Lockout} {
		x.PolicyAlg = wire.AlgNull
	}
	return nil
}

// Renew gives the hierarchy a new seed and proof, which forgets every key of it.
// An error leaves both as they were.
func (h *Hierarchy) Renew(random func(int) ([]byte, error)) error {
	seed, err := random(seedSize)
	if err != nil {
		return err
	}
	if err := h.RenewProof(random); err != nil {
		return err
	}
	clear(h.Seed)
	h.Seed, h.SeedVersion = seed, keygen.Version
	return nil
}

// RenewProof gives the hierarchy a new proof, which forgets its tickets and saved
// contexts. An error leaves it as it was.
func (h *Hierarchy) RenewProof(random func(int) ([]byte, error)) error {
	proof, err := random(seedSize)
	if err != nil {
		return err
	}
	clear(h.Proof)
	h.Proof = proof
	h.forgetPrimaries()
	return nil
}

// ClearAuthorization empties the authValue and the authPolicy.
func (h *Hierarchy) ClearAuthorization() {
	clear(h.Auth)
	h.Auth, h.Policy, h.PolicyAlg = nil, nil, wire.AlgNull
}

// startup applies Part 3, "TPM2_Startup" to the hierarchies.
func (h *Hierarchies) startup(kind startupKind, random func(int) ([]byte, error)) error {
	h.Platform.Enabled = true
	h.Null.Enabled = true
	if kind != startupResume {
		h.Platform.ClearAuthorization()
		h.Owner.Enabled, h.Endorsement.Enabled, h.PlatformNVEnabled = true, true, true
		h.ReadOnly = false
	}
	if kind == startupReset {
		return h.Null.Renew(random)
	}
	return nil
}

// At returns the hierarchy or lockout authorization that handle names, or nil.
func (h *Hierarchies) At(handle wire.Handle) *Hierarchy {
	switch handle {
	case wire.HandleOwner:
		return &h.Owner
	case wire.HandleEndorsement:
		return &h.Endorsement
	case wire.HandlePlatform:
		return &h.Platform
	case wire.HandleNull:
		return &h.Null
	case wire.HandleLockout:
		return &h.Lockout
	}
	return nil
}

// MarkHierarchy notes that the authorization of the hierarchy changed. The
// platform's is not persistent: a Shutdown keeps it, and is undone.
func (t *TPM) MarkHierarchy(handle wire.Handle) {
	if handle == wire.HandlePlatform {
		t.ClearOrderly()
	} else {
		t.Mark(RecordHierarchies)
	}
}

// SetAuthPolicy sets the authPolicy of a hierarchy, of the lockout authority or of a
// countdown timer.
func (t *TPM) SetAuthPolicy(handle wire.Handle, policy []byte, alg wire.Alg) {
	if a := t.ACTs.At(handle); a != nil {
		a.Policy, a.PolicyAlg = policy, alg
		t.ClearOrderly()
		return
	}
	x := t.Hierarchies.At(handle)
	x.Policy, x.PolicyAlg = policy, alg
	t.MarkHierarchy(handle)
}

// EnableHierarchy turns a hierarchy, or with TPM_RH_PLATFORM_NV the platform's NV
// indices, on or off until the next Startup(CLEAR). Objects of a hierarchy that is
// off are flushed.
func (t *TPM) EnableHierarchy(handle wire.Handle, on bool) {
	enabled := &t.Hierarchies.PlatformNVEnabled
	if handle != wire.HandlePlatformNV {
		enabled = &t.Hierarchies.At(handle).Enabled
	}
	if *enabled == on {
		return
	}
	t.ClearOrderly()
	*enabled = on
	if !on && handle != wire.HandlePlatformNV {
		t.FlushHierarchy(handle, false)
	}
}

// Enabled reports whether objects of the hierarchy can be used.
func (h *Hierarchies) Enabled(handle wire.Handle) bool {
	switch handle {
	case wire.HandleOwner, wire.HandleEndorsement, wire.HandlePlatform, wire.HandleNull:
		return h.At(handle).Enabled
	}
	return false
}

func (h *Hierarchy) write(w *wire.Writer) {
	w.Sized(h.Seed)
	w.Sized(h.Proof)
	w.Sized(h.Auth)
	w.Sized(h.Policy)
	w.U16(uint16(h.PolicyAlg))
}

// read reads a hierarchy whose seed and proof have the size seed: 0 for the lockout
// authorization.
func (h *Hierarchy) read(r *wire.Reader, seed int) {
	h.forgetPrimaries()
	h.Seed = readExactly(r, seed)
	h.Proof = readExactly(r, seed)
	h.Auth = readBytes(r)
	h.Policy, h.PolicyAlg = readPolicy(r)
}

func (h *Hierarchies) writePersistent(w *wire.Writer) {
	for _, x := range []*Hierarchy{&h.Owner, &h.Endorsement, &h.Lockout} {
		x.write(w)
	}
	w.Sized(h.Platform.Seed)
	w.Sized(h.Platform.Proof)
	writeBool(w, h.DisableClear)
}

func (h *Hierarchies) readPersistent(r *wire.Reader) {
	h.Owner.read(r, seedSize)
	h.Endorsement.read(r, seedSize)
	h.Lockout.read(r, 0)
	h.Platform.forgetPrimaries()
	h.Platform.Seed = readExactly(r, seedSize)
	h.Platform.Proof = readExactly(r, seedSize)
	h.DisableClear = readBool(r)
	for _, x := range h.seeded() {
		x.SeedVersion = keygen.Version // unless RecordSeedVersions says otherwise
	}
}

// seeded are the hierarchies with a persistent seed.
func (h *Hierarchies) seeded() []*Hierarchy {
	return []*Hierarchy{&h.Owner, &h.Endorsement, &h.Platform}
}

// writeSeedVersions writes the versions of the seeds, or nothing where all are the
// current one.
func (h *Hierarchies) writeSeedVersions(w *wire.Writer) {
	var versions []byte
	old := false
	for _, x := range h.seeded() {
		versions = append(versions, x.SeedVersion)
		old = old || x.SeedVersion != keygen.Version
	}
	if old {
		w.Bytes(versions)
	}
}

func (h *Hierarchies) readSeedVersions(r *wire.Reader) {
	for _, x := range h.seeded() {
		if x.SeedVersion = r.U8(); x.SeedVersion != keygen.Version && x.SeedVersion != keygen.Version0 {
			r.Fail(wire.RCValue)
		}
	}
}

// writeClear writes what a Shutdown(STATE) keeps for a Resume.
func (h *Hierarchies) writeClear(w *wire.Writer) {
	w.Sized(h.Platform.Auth)
	w.Sized(h.Platform.Policy)
	w.U16(uint16(h.Platform.PolicyAlg))
	writeBool(w, h.Owner.Enabled)
	writeBool(w, h.Endorsement.Enabled)
	writeBool(w, h.PlatformNVEnabled)
	writeBool(w, h.ReadOnly)
}

func (h *Hierarchies) readClear(r *wire.Reader) {
	h.Platform.Auth = readBytes(r)
	h.Platform.Policy, h.Platform.PolicyAlg = readPolicy(r)
	h.Owner.Enabled = readBool(r)
	h.Endorsement.Enabled = readBool(r)
	h.PlatformNVEnabled = readBool(r)
	h.ReadOnly = readBool(r)
}

// writeReset writes what a Shutdown(STATE) keeps for a Restart or a Resume.
func (h *Hierarchies) writeReset(w *wire.Writer) {
	w.Sized(h.Null.Seed)
	w.Sized(h.Null.Proof)
}

func (h *Hierarchies) readReset(r *wire.Reader) {
	h.Null.forgetPrimaries()
	h.Null.Seed, h.Null.SeedVersion = readExactly(r, seedSize), keygen.Version
	h.Null.Proof = readExactly(r, seedSize)
}
