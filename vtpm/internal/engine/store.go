package engine

import "maps"

// Store is where a TPM's persistent state rests, as named records. A TPM that
// promises durability is as durable as its Store: Commit returns only when the
// changes would survive a power cut, and makes all of them or none.
type Store interface {
	// Load returns all records. An empty map is a TPM to be manufactured.
	Load() (map[string][]byte, error)
	// Commit writes the records of changes; a nil value deletes the record.
	Commit(changes map[string][]byte) error
}

// MemoryStore is a Store that forgets at the end of the process.
type MemoryStore struct {
	records map[string][]byte
}

// Load returns a copy of the records.
func (m *MemoryStore) Load() (map[string][]byte, error) { return maps.Clone(m.records), nil }

// Commit applies the changes.
func (m *MemoryStore) Commit(changes map[string][]byte) error {
	if m.records == nil {
		m.records = make(map[string][]byte)
	}
	for name, value := range changes {
		if value == nil {
			delete(m.records, name)
		} else {
			m.records[name] = value
		}
	}
	return nil
}
