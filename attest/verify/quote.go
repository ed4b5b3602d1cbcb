package verify

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"github.com/bootseal/bootseal/attest"
	"github.com/bootseal/bootseal/pcr"
	"github.com/google/go-tpm/tpm2"
)

// MinNonce is the shortest nonce in bytes that makes a replay improbable.
const MinNonce = 16

// resettable are the PCRs that anybody on the machine can reset and fill: the
// debug and the application PCR (PTP, "PCR Attributes"). They prove nothing.
const resettable = pcr.Selection(1<<16 | 1<<23)

// Expect is a verifier's question: whose statement it wants, about what, and the
// nonce that it drew for it.
type Expect struct {
	AKName []byte            // Name of an attestation key known to sit in a TPM
	Nonce  []byte            // random, at least MinNonce bytes, used once
	PCRs   pcr.BankSelection // not empty, without PCRs 16 and 23
}

// Verified is what a quote proves.
type Verified struct {
	PCRs   pcr.Values `json:"pcrs"` // exactly the expected ones
	AKName pcr.Digest `json:"ak_name"`
	// ResetCount counts the TPM's resets (reboots), RestartCount its resumes since
	// then. In quotes by a key of the owner hierarchy both have an unknown constant
	// added: compare them only with each other.
	ResetCount   uint32 `json:"reset_count"`
	RestartCount uint32 `json:"restart_count"`
	// ClockMillis is how long the TPM has been powered, in milliseconds. It may
	// have jumped back unless ClockSafe.
	ClockMillis uint64 `json:"clock_ms"`
	ClockSafe   bool   `json:"clock_safe"`
}

// Quote checks evidence against an expectation and returns what it proves. Every
// error is one of this package's.
func Quote(e *attest.Evidence, want Expect) (*Verified, error) {
	if err := want.check(); err != nil {
		return nil, err
	}
	ak, err := parseAK(e.AKPublic, want.AKName)
	if err != nil {
		return nil, err
	}
	if err := ak.verify(e.Quoted, e.Signature); err != nil {
		return nil, err
	}
	statement, info, err := parseQuote(e.Quoted)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(statement.ExtraData.Buffer, want.Nonce) != 1 {
		return nil, ErrNonce
	}
	if err := checkSelection(info.PCRSelect, want.PCRs); err != nil {
		return nil, err
	}
	if err := checkValues(e.PCRValues, want.PCRs); err != nil {
		return nil, err
	}
	// Part 3, "TPM2_Quote": the digest is made with the hash of the signing scheme.
	digest, err := pcr.Composite(pcr.Bank(ak.hash), e.PCRValues, want.PCRs)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrValues, err)
	}
	if subtle.ConstantTimeCompare(info.PCRDigest.Buffer, digest) != 1 {
		return nil, fmt.Errorf("%w: they hash to %s, the quote says %x", ErrDigest, digest, info.PCRDigest.Buffer)
	}
	return &Verified{
		PCRs:         e.PCRValues.Clone(),
		AKName:       bytes.Clone(want.AKName),
		ResetCount:   statement.ClockInfo.ResetCount,
		RestartCount: statement.ClockInfo.RestartCount,
		ClockMillis:  statement.ClockInfo.Clock,
		ClockSafe:    bool(statement.ClockInfo.Safe),
	}, nil
}

func (w Expect) check() error {
	switch {
	case len(w.AKName) == 0:
		return fmt.Errorf("%w: no attestation key", ErrExpectation)
	case len(w.Nonce) < MinNonce:
		return fmt.Errorf("%w: a nonce of %d bytes: want at least %d", ErrExpectation, len(w.Nonce), MinNonce)
	case w.PCRs.PCRs == 0:
		return fmt.Errorf("%w: no PCRs", ErrExpectation)
	case w.PCRs.PCRs&resettable != 0:
		return fmt.Errorf("%w: PCRs %s can be reset by anybody", ErrExpectation, w.PCRs.PCRs&resettable)
	case w.PCRs.Bank == pcr.SHA1, !w.PCRs.Bank.Available():
		return fmt.Errorf("%w: bank %s", ErrExpectation, w.PCRs.Bank)
	}
	return nil
}

// parseQuote decodes a TPMS_ATTEST. Magic and type are looked at first: they have
// errors of their own, and everything behind them depends on the type.
func parseQuote(quoted []byte) (*tpm2.TPMSAttest, *tpm2.TPMSQuoteInfo, error) {
	const head = 4 + 2 // TPM_GENERATED, TPMI_ST_ATTEST
	if len(quoted) < head {
		return nil, nil, fmt.Errorf("%w: quote of %d bytes", ErrMalformed, len(quoted))
	}
	if tpm2.TPMGenerated(binary.BigEndian.Uint32(quoted)) != tpm2.TPMGeneratedValue {
		return nil, nil, ErrMagic
	}
	if tag := tpm2.TPMST(binary.BigEndian.Uint16(quoted[4:])); tag != tpm2.TPMSTAttestQuote {
		return nil, nil, fmt.Errorf("%w: type 0x%04x", ErrType, uint16(tag))
	}
	statement, err := tpm2.Unmarshal[tpm2.TPMSAttest](quoted)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: quote: %w", ErrMalformed, err)
	}
	if !bytes.Equal(tpm2.Marshal(statement), quoted) {
		return nil, nil, fmt.Errorf("%w: quote: not in canonical form", ErrMalformed)
	}
	info, err := statement.Attested.Quote()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: quote: %w", ErrMalformed, err)
	}
	return statement, info, nil
}

// checkSelection demands one entry, of the expected bank, with exactly the
// expected PCRs. Anything looser lets values of one PCR pass for those of another:
// the digest says nothing about where a value came from.
func checkSelection(have tpm2.TPMLPCRSelection, want pcr.BankSelection) error {
	if n := len(have.PCRSelections); n != 1 {
		return fmt.Errorf("%w: %d selections: want one", ErrSelection, n)
	}
	entry := have.PCRSelections[0]
	pcrs, err := pcr.FromOctets(entry.PCRSelect)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSelection, err)
	}
	if got := (pcr.BankSelection{Bank: pcr.Bank(entry.Hash), PCRs: pcrs}); got != want {
		return fmt.Errorf("%w: have %s, want %s", ErrSelection, got, want)
	}
	return nil
}

// checkValues demands a value of the right size for each selected PCR, so that
// their concatenation is unambiguous, and nothing else, so that nobody takes an
// unproven value for a proven one.
func checkValues(values pcr.Values, want pcr.BankSelection) error {
	if err := values.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrValues, err)
	}
	if banks := values.Banks(); len(banks) != 1 || banks[0] != want.Bank {
		return fmt.Errorf("%w: banks %v: want %s", ErrValues, banks, want.Bank)
	}
	if have := values.Selection(want.Bank); have != want.PCRs {
		return fmt.Errorf("%w: have %s, want %s", ErrValues, have, want.PCRs)
	}
	return nil
}
