package command

import (
	"bytes"
	"slices"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// What TPM2_GetCapability lists besides properties, each list in ascending order.

// algorithms returns what is implemented, and what each is for (Part 2,
// "TPMA_ALGORITHM"). SHA-3 is left out: client libraries go through the hashes that
// are listed, and stop at one that they do not know.
func algorithms(l *wire.Limits) []wire.TPMSAlgProperty {
	const (
		asymmetric = wire.AlgAttrAsymmetric
		symmetric  = wire.AlgAttrSymmetric
		hash       = wire.AlgAttrHash
		object     = wire.AlgAttrObject
		signing    = wire.AlgAttrSigning
		encrypting = wire.AlgAttrEncrypting
		method     = wire.AlgAttrMethod
	)
	var list []wire.TPMSAlgProperty
	add := func(has bool, alg wire.Alg, attributes wire.TPMAAlgorithm) {
		if has {
			list = append(list, wire.TPMSAlgProperty{Alg: alg, AlgProperties: attributes})
		}
	}
	add(len(l.RSABits) != 0, wire.AlgRSA, asymmetric|object)
	add(len(l.Curves) != 0, wire.AlgECC, asymmetric|object)
	for _, cipher := range l.Ciphers {
		add(true, cipher.Alg, symmetric)
	}
	add(len(l.Ciphers) != 0, wire.AlgSymCipher, object)
	add(true, wire.AlgKeyedHash, hash|object|signing|encrypting)
	for _, alg := range l.Hashes {
		isSHA3 := alg >= wire.AlgSHA3256 && alg <= wire.AlgSHA3512
		add(!isSHA3, alg, hash)
	}
	for _, alg := range l.SymModes {
		add(alg != wire.AlgCMAC, alg, symmetric|encrypting)
		add(alg == wire.AlgCMAC, alg, symmetric|signing)
	}
	for _, alg := range l.KDFs {
		add(true, alg, hash|method)
	}
	for _, alg := range l.Schemes {
		switch alg {
		case wire.AlgHMAC:
			add(true, alg, hash|signing)
		case wire.AlgXOR:
			add(true, alg, symmetric|hash)
		case wire.AlgRSAES, wire.AlgOAEP:
			add(true, alg, asymmetric|encrypting)
		case wire.AlgECDH, wire.AlgECMQV:
			add(true, alg, asymmetric|method)
		case wire.AlgSM2:
			add(true, alg, asymmetric|signing|method)
		default:
			add(true, alg, asymmetric|signing)
		}
	}
	slices.SortFunc(list, func(a, b wire.TPMSAlgProperty) int { return int(a.Alg) - int(b.Alg) })
	return list
}

// permanentHandles returns the permanent handles that are implemented: hierarchies
// and what else can authorize, and the timers.
func permanentHandles(t *engine.TPM) []wire.Handle {
	list := []wire.Handle{
		wire.HandleOwner, wire.HandleNull, wire.HandlePassword, wire.HandleLockout,
		wire.HandleEndorsement, wire.HandlePlatform, wire.HandlePlatformNV,
	}
	for _, timer := range t.ACTs.Data() {
		list = append(list, timer.Handle)
	}
	return list
}

// handlesOfType returns the handles of the type that name something, or false for a
// type that TPM_CAP_HANDLES does not have.
func handlesOfType(t *engine.TPM, typ wire.HT) ([]wire.Handle, bool) {
	switch typ {
	case wire.HTPCR:
		var pcrs []wire.Handle
		for pcr := range wire.Handle(engine.PCRCount) {
			pcrs = append(pcrs, wire.PCRFirst+pcr)
		}
		return pcrs, true
	case wire.HTNVIndex:
		return t.NV.Handles(), true
	case wire.HTLoadedSession:
		return t.Sessions.Handles(true), true
	case wire.HTSavedSession:
		// Of a saved session the handle says no more than which one.
		saved := t.Sessions.Handles(false)
		for i, h := range saved {
			saved[i] = wire.HMACSessionFirst | wire.Handle(h.Index())
		}
		return saved, true
	case wire.HTPermanent:
		return permanentHandles(t), true
	case wire.HTTransient:
		return t.Objects.Transient(), true
	case wire.HTPersistent:
		return t.Objects.Persistent(), true
	}
	return nil, false
}

// handleOrder returns the key by which a page of handles from first on is found:
// sessions have two types, and go by their numbers.
func handleOrder(first uint32) func(wire.Handle) uint32 {
	if !wire.Handle(first).IsSession() {
		return self
	}
	return func(h wire.Handle) uint32 { return first&0xFF000000 | h.Index() }
}

// presenceCommands returns the commands that need physical presence:
// TPM2_PP_Commands always does.
func presenceCommands(t *engine.TPM) []wire.CC {
	list := append(t.PresenceCommands(), wire.CCPPCommands)
	slices.Sort(list)
	return list
}

// authPolicies returns the policies of the permanent handles that can have one,
// TPM_ALG_NULL where there is none.
func authPolicies(t *engine.TPM) []wire.TPMSTaggedPolicy {
	var list []wire.TPMSTaggedPolicy
	for _, h := range permanentHandles(t) {
		switch h {
		case wire.HandleNull, wire.HandlePassword, wire.HandlePlatformNV:
			continue
		}
		alg, policy := t.AuthPolicy(h)
		list = append(list, wire.TPMSTaggedPolicy{Handle: h, PolicyHash: wire.TPMTHA{HashAlg: alg, Digest: bytes.Clone(policy)}})
	}
	return list
}

// pcrProperties returns which PCRs have each property.
func pcrProperties(t *engine.TPM) []wire.TPMSTaggedPCRSelect {
	var list []wire.TPMSTaggedPCRSelect
	add := func(tag wire.PTPCR, has func(pcr int) bool) {
		list = append(list, wire.TPMSTaggedPCRSelect{Tag: tag, PCRSelect: t.PCR.PropertySelect(has)})
	}
	add(wire.PTPCRSave, t.PCR.StateSaved)
	for locality := range uint8(5) {
		add(wire.PTPCRExtendL0+wire.PTPCR(2*locality), func(pcr int) bool { return t.PCR.MayExtend(pcr, locality) })
		add(wire.PTPCRResetL0+wire.PTPCR(2*locality), func(pcr int) bool { return t.PCR.ResetAttribute(pcr, locality) })
	}
	add(wire.PTPCRNoIncrement, t.PCR.Uncounted)
	add(wire.PTPCRDRTMReset, t.PCR.DRTMReset)
	add(wire.PTPCRPolicy, t.PCR.HasAuth)
	add(wire.PTPCRAuth, t.PCR.HasAuth)
	return list
}
