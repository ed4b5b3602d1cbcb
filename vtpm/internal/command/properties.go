package command

import (
	"encoding/binary"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// The TPM's properties (Part 2, "TPM_PT"), in ascending order of their tags.

// propertyList gathers properties.
type propertyList []wire.TPMSTaggedProperty

func (l *propertyList) add(tag wire.PT, value uint32) {
	*l = append(*l, wire.TPMSTaggedProperty{Property: tag, Value: value})
}

func (l *propertyList) count(tag wire.PT, n int) { l.add(tag, uint32(max(n, 0))) }

// propertyGroup returns the group that a list of properties from first on is of: it
// does not go beyond one.
func propertyGroup(first wire.PT) wire.PT {
	if first < wire.PTFixed {
		return wire.PTFixed
	}
	return first &^ 0xFF
}

// properties returns the properties of a group.
func properties(t *engine.TPM, group wire.PT) []wire.TPMSTaggedProperty {
	var l propertyList
	switch group {
	case wire.PTFixed:
		l.identity(&t.Profile)
		l.limits(&t.Profile)
		l.implementation(t)
	case wire.PTVar:
		l.state(t)
		l.used(t)
		l.protection(t)
	}
	return l
}

// identity adds which specification is implemented, and by whom.
func (l *propertyList) identity(p *engine.Profile) {
	l.add(wire.PTFamilyIndicator, p.Library.Family)
	l.add(wire.PTLevel, p.Library.Level)
	l.add(wire.PTRevision, p.Library.Version)
	l.add(wire.PTDayOfYear, p.Library.DayOfYear)
	l.add(wire.PTYear, p.Library.Year)
	l.vendor(p)
}

// vendor adds the properties that a TPM in failure mode still has.
func (l *propertyList) vendor(p *engine.Profile) {
	var text [4 + 16]byte
	copy(text[:4], p.Manufacturer)
	copy(text[4:], p.VendorString)
	for i := range 5 {
		l.add(wire.PTManufacturer+wire.PT(i), binary.BigEndian.Uint32(text[4*i:]))
	}
	l.add(wire.PTVendorTPMType, 1)
	l.add(wire.PTFirmwareVersion1, uint32(p.FirmwareVersion>>32))
	l.add(wire.PTFirmwareVersion2, uint32(p.FirmwareVersion))
}

// limits adds how much there is room for.
func (l *propertyList) limits(p *engine.Profile) {
	l.add(wire.PTInputBuffer, wire.MaxBuffer)
	l.count(wire.PTHRTransientMin, p.TransientObjects)
	l.count(wire.PTHRPersistentMin, p.PersistentObjectsMin)
	l.count(wire.PTHRLoadedMin, p.LoadedSessions)
	l.count(wire.PTActiveSessionsMax, p.ActiveSessions)
	l.add(wire.PTPCRCount, engine.PCRCount)
	l.count(wire.PTPCRSelectMin, p.Limits.PCRSelect)
	l.add(wire.PTContextGapMax, p.ContextGap)
	l.add(wire.PTNVCountersMax, 0) // as many as there is memory for
	l.add(wire.PTNVIndexMax, wire.MaxNVIndexSize)
	l.add(wire.PTMemory, uint32(p.Memory))
	l.add(wire.PTClockUpdate, uint32(p.ClockInterval))
	l.add(wire.PTContextHash, uint32(engine.ContextHash))
	l.add(wire.PTContextSym, uint32(engine.ContextCipher))
	l.add(wire.PTContextSymSize, 8*engine.ContextKeyLen)
	l.add(wire.PTOrderlyCount, engine.OrderlyCounterMask)
	l.count(wire.PTMaxCommandSize, p.MaxCommand)
	l.count(wire.PTMaxResponseSize, p.MaxResponse)
	digest := 0
	for _, alg := range p.Limits.Hashes {
		digest = max(digest, crypt.Size(alg))
	}
	l.count(wire.PTMaxDigest, digest)
	l.count(wire.PTMaxObjectContext, p.MaxObjectContext)
	l.count(wire.PTMaxSessionContext, p.MaxSessionContext)
}

// implementation adds what is implemented.
func (l *propertyList) implementation(t *engine.TPM) {
	p := &t.Profile
	l.add(wire.PTPSFamilyIndicator, p.Platform.Family)
	l.add(wire.PTPSLevel, p.Platform.Level)
	l.add(wire.PTPSRevision, p.Platform.Version)
	l.add(wire.PTPSDayOfYear, p.Platform.DayOfYear)
	l.add(wire.PTPSYear, p.Platform.Year)
	l.add(wire.PTSplitMax, engine.SplitMax)
	commands := len(t.Commands.Attributes())
	l.count(wire.PTTotalCommands, commands)
	l.count(wire.PTLibraryCommands, commands)
	l.add(wire.PTVendorCommands, 0)
	l.add(wire.PTNVBufferMax, wire.MaxNVBuffer)
	l.add(wire.PTModes, 0) // no certification is claimed
	l.add(wire.PTMaxCapBuffer, wire.MaxCapBuffer)
	if p.Library.Version >= firstVersionWithSVN {
		l.add(wire.PTFirmwareSVN, 0)
		l.add(wire.PTFirmwareMaxSVN, 0)
	}
}

// firstVersionWithSVN is the version of the library specification from which on a
// firmware has a security version number.
const firstVersionWithSVN = 183

// state adds the two sets of flags.
func (l *propertyList) state(t *engine.TPM) {
	h := &t.Hierarchies
	permanent := wire.PermTPMGeneratedEPS
	for _, x := range []struct {
		set bool
		bit wire.TPMAPermanent
	}{
		{len(engine.TrimAuth(h.Owner.Auth)) != 0, wire.PermOwnerAuthSet},
		{len(engine.TrimAuth(h.Endorsement.Auth)) != 0, wire.PermEndorsementAuthSet},
		{len(engine.TrimAuth(h.Lockout.Auth)) != 0, wire.PermLockoutAuthSet},
		{h.DisableClear, wire.PermDisableClear},
		{t.Lockout.InLockout(), wire.PermInLockout},
	} {
		if x.set {
			permanent |= x.bit
		}
	}
	l.add(wire.PTPermanent, uint32(permanent))

	var startup wire.TPMAStartupClear
	for _, x := range []struct {
		set bool
		bit wire.TPMAStartupClear
	}{
		{h.Platform.Enabled, wire.StartupPHEnable},
		{h.Owner.Enabled, wire.StartupSHEnable},
		{h.Endorsement.Enabled, wire.StartupEHEnable},
		{h.PlatformNVEnabled, wire.StartupPHEnableNV},
		{h.ReadOnly, wire.StartupReadOnly},
		{t.StartedOrderly(), wire.StartupOrderly},
	} {
		if x.set {
			startup |= x.bit
		}
	}
	l.add(wire.PTStartupClear, uint32(startup))
}

// used adds how much is in use, and how much is left.
func (l *propertyList) used(t *engine.TPM) {
	p := &t.Profile
	loaded, active := t.SessionsAvailable()
	counters := 0
	indices := t.NV.Handles()
	for _, h := range indices {
		if t.NV.At(h).Type() == wire.NTCounter {
			counters++
		}
	}
	l.count(wire.PTHRNVIndex, len(indices))
	l.count(wire.PTHRLoaded, p.LoadedSessions-loaded)
	l.count(wire.PTHRLoadedAvail, loaded)
	l.count(wire.PTHRActive, p.ActiveSessions-active)
	l.count(wire.PTHRActiveAvail, active)
	l.count(wire.PTHRTransientAvail, t.Objects.TransientAvailable())
	l.count(wire.PTHRPersistent, len(t.Objects.Persistent()))
	l.count(wire.PTHRPersistentAvail, t.PersistentAvailable())
	l.count(wire.PTNVCounters, counters)
	l.count(wire.PTNVCountersAvail, t.NVAvailable(8))
	l.add(wire.PTAlgorithmSet, t.AlgorithmSet)
	l.count(wire.PTLoadedCurves, len(p.Limits.Curves))
}

// protection adds the state of the dictionary attack protection, and the counter
// of the command audit.
func (l *propertyList) protection(t *engine.TPM) {
	l.add(wire.PTLockoutCounter, t.Lockout.FailedTries)
	l.add(wire.PTMaxAuthFail, t.Lockout.MaxTries)
	l.add(wire.PTLockoutInterval, t.Lockout.RecoveryTime)
	l.add(wire.PTLockoutRecovery, t.Lockout.LockoutRecovery)
	l.add(wire.PTNVWriteRecovery, 0) // NV can always be written
	l.add(wire.PTAuditCounter0, uint32(t.Audit.Counter>>32))
	l.add(wire.PTAuditCounter1, uint32(t.Audit.Counter))
}

// failureCapability answers in failure mode, where nothing is certain but who made
// the TPM: one property at a time (Part 1, "Failure mode").
func failureCapability(t *engine.TPM, in *getCapabilityIn) (*getCapabilityOut, error) {
	if in.Capability != wire.CapTPMProperties {
		return nil, wire.RCFailure
	}
	var l propertyList
	l.vendor(&t.Profile)
	out := &getCapabilityOut{CapabilityData: wire.TPMSCapabilityData{Capability: in.Capability}}
	list, more := page(l, in.Property, in.PropertyCount, 1, func(p wire.TPMSTaggedProperty) uint32 { return uint32(p.Property) })
	out.CapabilityData.Data.TPMProperties, out.MoreData = list, wire.TPMIYesNo(more)
	return out, nil
}
