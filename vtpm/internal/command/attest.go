package command

import (
	"bytes"
	"encoding/binary"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// What the attestation commands have in common (Part 3, "Attestation Commands"):
// who signs, and the part of TPMS_ATTEST that does not depend on the command.

// attester is who signs an attestation.
type attester struct {
	key    *engine.Object     // nil for TPM_RH_NULL: a null signature
	scheme wire.TPMTSigScheme // TPM_ALG_NULL without a key
}

// selectAttester returns who signs with the key signHandle, the handle with the
// number atHandle, and the scheme, the parameter with the number atParam. Errors:
// TPM_RC_KEY and TPM_RC_SCHEME.
func selectAttester(t *engine.TPM, signHandle wire.Handle, atHandle int, scheme wire.TPMTSigScheme, atParam int) (*attester, error) {
	if signHandle == wire.HandleNull {
		return &attester{scheme: wire.TPMTSigScheme{Scheme: wire.AlgNull, HashAlg: wire.AlgNull}}, nil
	}
	key := t.Objects.At(signHandle)
	if !canSign(key) {
		return nil, wire.RCKey.Handle(atHandle)
	}
	selected, ok := selectSignScheme(key, scheme)
	if !ok {
		return nil, wire.RCScheme.Param(atParam)
	}
	return &attester{key: key, scheme: selected}, nil
}

// anonymous reports whether the attestation must not tell keys apart.
func (a *attester) anonymous() bool { return isAnonymous(a.scheme.Scheme) }

// attest returns the attestation of what is attested, and its signature.
// qualifyingData is the caller's, against replay. The errors are those of
// engine.TPM.Sign.
func (a *attester) attest(t *engine.TPM, qualifyingData []byte, typ wire.ST, attested wire.TPMUAttest) (
	info wire.TPM2BAttest, signature wire.TPMTSignature, err error,
) {
	s := wire.TPMSAttest{
		Magic:           wire.GeneratedValue,
		Type:            typ,
		ClockInfo:       t.Clock.Info(),
		FirmwareVersion: t.Profile.FirmwareVersion,
		Attested:        attested,
	}
	switch {
	case a.key == nil:
		s.QualifiedSigner = crypt.HandleName(wire.HandleNull)
	case !a.anonymous():
		s.QualifiedSigner = bytes.Clone(a.key.Qualified)
	}
	a.obfuscate(t, &s)
	if !a.anonymous() {
		s.ExtraData, qualifyingData = qualifyingData, nil
	}
	info = wire.Marshal(s)
	if a.key == nil {
		return info, wire.TPMTSignature{SigAlg: wire.AlgNull}, nil
	}
	digest := crypt.Digest(a.scheme.HashAlg, info)
	if len(qualifyingData) != 0 {
		// Inside the attestation it would link signatures of one anonymous key.
		digest = crypt.Digest(a.scheme.HashAlg, qualifyingData, digest)
	}
	if signature, err = t.Sign(a.key, a.scheme, digest); err != nil {
		return nil, signature, err
	}
	// The clock has been told to somebody: a TPM that was shut down has to go on
	// from here.
	t.ClearOrderly()
	return info, signature, nil
}

// obfuscate hides what would identify the platform from everybody but the platform
// and its privacy administrator (Part 1, "Attestation"): only with keys of their
// hierarchies resetCount, restartCount and firmwareVersion are the true ones.
// Others are moved by an amount that is the same for each key, so that changes
// still show.
func (a *attester) obfuscate(t *engine.TPM, s *wire.TPMSAttest) {
	if a.key != nil && (a.key.Hierarchy == wire.HandleEndorsement || a.key.Hierarchy == wire.HandlePlatform) {
		return
	}
	by := crypt.KDFa(engine.ContextHash, t.Proof(wire.HandleOwner), "OBFUSCATE", s.QualifiedSigner, nil, 128)
	s.FirmwareVersion += binary.BigEndian.Uint64(by)
	s.ClockInfo.ResetCount += binary.BigEndian.Uint32(by[8:])
	s.ClockInfo.RestartCount += binary.BigEndian.Uint32(by[12:])
}
