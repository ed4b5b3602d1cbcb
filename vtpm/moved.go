package vtpm

import (
	"errors"
	"fmt"
	"maps"

	"github.com/bootseal/bootseal/vtpm/internal/command"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/libtpms"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Moved is the persistent state of a TPM that moves in from another program. It holds
// the TPM's secrets.
type Moved struct {
	// NVIndices and PersistentObjects are the handles of what there is, ascending
	// as the other program had them.
	NVIndices, PersistentObjects []uint32
	// PCRBanks are the names of the PCR banks with an allocated PCR: "sha256".
	PCRBanks []string
	// SourceProfile is the profile of libtpms 0.10 and later, "" before.
	SourceProfile string
	// Shutdown is how the TPM was shut down: "clear", "state", or "none" when it was
	// not shut down in order.
	Shutdown string
	// Left says in sentences what does not go along.
	Left []string

	records map[string][]byte
}

// FromLibtpms reads a permanent state of libtpms, as it is in swtpm's files below
// swtpm's own format (see package swtpmstate), for a TPM of the profile. It goes on
// with the same seeds, so that its primary keys are the same and what was sealed
// unseals; with NV indices, persistent objects, authorizations, PCR banks, lockout,
// clock and counters.
//
// States of libtpms up to 0.11 are known. The error says what is wrong with the state,
// or what of it the profile does not have.
func FromLibtpms(state []byte, p Profile) (m *Moved, err error) {
	defer func() {
		if r := recover(); r != nil { // the state is input
			m, err = nil, fmt.Errorf("read the state of libtpms: panic: %v", r)
		}
	}()
	s, err := libtpms.Parse(state)
	if err != nil {
		return nil, err
	}
	records, err := engine.FromLibtpms(p.engine(), command.Set{}, s)
	if err != nil {
		return nil, fmt.Errorf("move the state of libtpms: %w", err)
	}
	m = &Moved{
		SourceProfile: s.Profile.Name,
		Shutdown:      map[libtpms.Shutdown]string{libtpms.ShutdownNone: "none", libtpms.ShutdownClear: "clear", libtpms.ShutdownState: "state"}[s.Persistent.Shutdown],
		Left:          engine.Left(s),
		records:       records,
	}
	for _, x := range s.Indices {
		m.NVIndices = append(m.NVIndices, uint32(x.Public.NVIndex))
	}
	for _, o := range s.Objects {
		m.PersistentObjects = append(m.PersistentObjects, uint32(o.Handle))
	}
	for _, bank := range s.Persistent.Allocated {
		for _, b := range bank.PCRSelect {
			if b != 0 {
				m.PCRBanks = append(m.PCRBanks, bankName(bank.Hash))
				break
			}
		}
	}
	return m, nil
}

func bankName(alg wire.Alg) string {
	switch alg {
	case wire.AlgSHA1:
		return "sha1"
	case wire.AlgSHA256:
		return "sha256"
	case wire.AlgSHA384:
		return "sha384"
	case wire.AlgSHA512:
		return "sha512"
	}
	return alg.String()
}

// Blob returns the state for RestoreState(PermanentState, ...).
func (m *Moved) Blob() ([]byte, error) { return engine.PermanentBlob(m.records) }

// ErrOccupied is the error of Fill for a store that has a TPM.
var ErrOccupied = errors.New("there is a TPM already")

// Fill puts the state into an empty store, durably, for New. The error is ErrOccupied
// where the store is not empty.
func (m *Moved) Fill(s Store) error {
	there, err := s.Load()
	if err != nil {
		return fmt.Errorf("load TPM state: %w", err)
	}
	if len(there) != 0 {
		return ErrOccupied
	}
	if err := s.Commit(maps.Clone(m.records)); err != nil {
		return fmt.Errorf("commit TPM state: %w", err)
	}
	return nil
}
