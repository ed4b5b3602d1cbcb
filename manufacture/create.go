package manufacture

import (
	"errors"
	"fmt"
	"maps"

	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/vtpm"
	"github.com/google/go-tpm/tpm2"
)

// Create makes a new vTPM in the store of v and manufactures it. The store has all of it in
// one Commit at the end, or stays as it was: whatever cuts Create off, there is no TPM
// without its keys. A state that was in the store is replaced.
func Create(v vtpm.Options, o Options) (Result, error) {
	var r Result
	err := staged(v, false, func(t *vtpm.TPM) (err error) {
		r, err = Manufacture(t, o)
		return err
	})
	if err != nil {
		return Result{}, fmt.Errorf("manufacture the vTPM: %w", err)
	}
	return r, nil
}

// Reconfigure changes the active PCR banks of the vTPM in the store of v, as
// [AllocatePCRs] does, at once or not at all. An empty store is an error.
func Reconfigure(v vtpm.Options, banks []pcr.Bank) (active []pcr.Bank, err error) {
	err = staged(v, true, func(t *vtpm.TPM) error {
		active, err = AllocatePCRs(t, banks)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reconfigure the vTPM: %w", err)
	}
	return active, nil
}

// staged runs f on a started TPM that works on a copy of the store's records, or on none, and
// puts what became of them into the store when f succeeded and the TPM is shut down.
func staged(v vtpm.Options, existing bool, f func(*vtpm.TPM) error) error {
	if v.Store == nil {
		return errors.New("there is no store for it")
	}
	before, err := v.Store.Load()
	if err != nil {
		return err
	}
	stage := &stage{records: make(map[string][]byte)}
	defer func() { wipe(stage.records) }()
	if existing {
		if len(before) == 0 {
			return errors.New("there is no state")
		}
		maps.Copy(stage.records, clone(before))
	}
	store := v.Store
	v.Store = stage
	t, err := vtpm.New(v)
	if err != nil {
		return err
	}
	if err := powered(t, f); err != nil {
		return err
	}
	changes := clone(stage.records)
	defer wipe(changes)
	for name := range before {
		if _, ok := changes[name]; !ok {
			changes[name] = nil
		}
	}
	return store.Commit(changes)
}

// powered runs f on the TPM between TPM2_Startup and TPM2_Shutdown.
func powered(t *vtpm.TPM, f func(*vtpm.TPM) error) error {
	if _, err := (tpm2.Startup{StartupType: tpm2.TPMSUClear}).Execute(t); err != nil {
		return fmt.Errorf("start it: %w", err)
	}
	if err := f(t); err != nil {
		return err
	}
	if _, err := (tpm2.Shutdown{ShutdownType: tpm2.TPMSUClear}).Execute(t); err != nil {
		return fmt.Errorf("shut it down: %w", err)
	}
	return nil
}

// stage is a store in memory whose records can be taken.
type stage struct{ records map[string][]byte }

func (s *stage) Load() (map[string][]byte, error) { return clone(s.records), nil }

func (s *stage) Commit(changes map[string][]byte) error {
	for name, value := range clone(changes) {
		clear(s.records[name])
		if value == nil {
			delete(s.records, name)
		} else {
			s.records[name] = value
		}
	}
	return nil
}

// clone copies records with their values, and keeps apart an empty one and none.
func clone(records map[string][]byte) map[string][]byte {
	c := make(map[string][]byte, len(records))
	for name, value := range records {
		c[name] = nil
		if value != nil {
			c[name] = append([]byte{}, value...)
		}
	}
	return c
}

// wipe erases records: they are the TPM's secrets.
func wipe(records map[string][]byte) {
	for _, value := range records {
		clear(value)
	}
}
