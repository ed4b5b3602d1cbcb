package store_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
	"github.com/google/go-tpm/tpm2"
)

// The names that the life uses.
const (
	counterIndex tpm2.TPMHandle = 0x01800001
	dataIndex    tpm2.TPMHandle = 0x01800002
	persistent   tpm2.TPMHandle = 0x81000001
	ownerAuth                   = "owner"
)

// machine is a TPM for the life, with entropy and a clock that are the same in every
// run.
type machine struct {
	*vtpm.TPM
	now     time.Duration
	nameErr error // why an index had no Name
}

// powerOn makes the TPM whose state is in the store, and starts it.
func powerOn(s vtpm.Store) (*machine, error) {
	m := new(machine)
	var err error
	m.TPM, err = vtpm.New(vtpm.Options{Store: s, Entropy: vtpmtest.Entropy(), Clock: func() time.Duration { return m.now }})
	if err != nil {
		return nil, err
	}
	return m, m.startup(tpm2.TPMSUClear)
}

func (m *machine) startup(kind tpm2.TPMSU) error {
	_, err := tpm2.Startup{StartupType: kind}.Execute(m)
	return err
}

// step is a part of the life: what is promised when it returns nil.
type step struct {
	name string
	do   func(m *machine) error
}

// life is a TPM's life, in commands that change every kind of record.
var life = slices.Concat(
	[]step{
		{"define counter", func(m *machine) error { return m.define(counterIndex, tpm2.TPMNTCounter, 8, "", "") }},
		{"count to 1", (*machine).increment},
		{"define data", func(m *machine) error { return m.define(dataIndex, tpm2.TPMNTOrdinary, 600, "data", "") }},
		{"write data", func(m *machine) error { return m.write("first", "") }},
		{"set owner auth", func(m *machine) error { return m.changeOwner("", ownerAuth) }},
		{"persist key", (*machine).persist},
		{"write data again", func(m *machine) error { return m.write("second", ownerAuth) }},
		{"fail an authorization", (*machine).guess},
		{"fail another one", (*machine).guess},
		{"shut down with state", func(m *machine) error { return m.restart(tpm2.TPMSUState) }},
	},
	slices.Repeat([]step{{"count", (*machine).increment}}, 12),
	[]step{
		{"shut down", func(m *machine) error { return m.restart(tpm2.TPMSUClear) }},
		{"evict key", (*machine).evict},
		{"reset owner auth", func(m *machine) error { return m.changeOwner(ownerAuth, "") }},
		{"undefine data", func(m *machine) error {
			_, err := tpm2.NVUndefineSpace{AuthHandle: by(tpm2.TPMRHOwner, ""), NVIndex: m.index(dataIndex)}.Execute(m)
			return err
		}},
		{"shut down for good", func(m *machine) error { return m.restart(tpm2.TPMSUClear) }},
	},
)

// live plays the life until a step is not acknowledged, and returns how many were.
func live(t testing.TB, s vtpm.Store) (done int) {
	t.Helper()
	m, err := powerOn(s)
	for err == nil && done < len(life) {
		if err = life[done].do(m); err == nil {
			done++
		}
	}
	if err != nil && !errors.Is(err, errPower) && !errors.Is(err, tpm2.TPMRCNVUnavailable) {
		at := "start"
		if done < len(life) {
			at = life[done].name
		}
		t.Fatalf("%s: %v", at, err)
	}
	return done
}

func (m *machine) define(index tpm2.TPMHandle, typ tpm2.TPMNT, size uint16, auth, owner string) error {
	attributes := tpm2.TPMANV{OwnerRead: true, OwnerWrite: true, AuthRead: true, AuthWrite: true, NT: typ, NoDA: typ == tpm2.TPMNTCounter}
	_, err := tpm2.NVDefineSpace{
		AuthHandle: by(tpm2.TPMRHOwner, owner), Auth: tpm2.TPM2BAuth{Buffer: []byte(auth)},
		PublicInfo: tpm2.New2B(tpm2.TPMSNVPublic{NVIndex: index, NameAlg: tpm2.TPMAlgSHA256, Attributes: attributes, DataSize: size}),
	}.Execute(m)
	return err
}

func by(handle tpm2.TPMHandle, auth string) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: handle, Auth: tpm2.PasswordAuth([]byte(auth))}
}

// index returns an index with its Name.
func (m *machine) index(handle tpm2.TPMHandle) tpm2.NamedHandle {
	r, err := tpm2.NVReadPublic{NVIndex: handle}.Execute(m)
	if err != nil {
		m.nameErr = err
		return tpm2.NamedHandle{Handle: handle}
	}
	return tpm2.NamedHandle{Handle: handle, Name: r.NVName}
}

func (m *machine) nvAuth(handle tpm2.TPMHandle, auth string) tpm2.AuthHandle {
	index := m.index(handle)
	return tpm2.AuthHandle{Handle: handle, Name: index.Name, Auth: tpm2.PasswordAuth([]byte(auth))}
}

func (m *machine) increment() error {
	_, err := tpm2.NVIncrement{AuthHandle: m.nvAuth(counterIndex, ""), NVIndex: m.index(counterIndex)}.Execute(m)
	return err
}

func (m *machine) write(data, owner string) error {
	_, err := tpm2.NVWrite{AuthHandle: by(tpm2.TPMRHOwner, owner), NVIndex: m.index(dataIndex), Data: tpm2.TPM2BMaxNVBuffer{Buffer: []byte(data)}}.Execute(m)
	return err
}

func (m *machine) read(index tpm2.TPMHandle, size uint16, auth string) ([]byte, error) {
	r, err := tpm2.NVRead{AuthHandle: m.nvAuth(index, auth), NVIndex: m.index(index), Size: size}.Execute(m)
	if err != nil {
		return nil, err
	}
	return r.Data.Buffer, nil
}

func (m *machine) changeOwner(from, to string) error {
	_, err := tpm2.HierarchyChangeAuth{AuthHandle: by(tpm2.TPMRHOwner, from), NewAuth: tpm2.TPM2BAuth{Buffer: []byte(to)}}.Execute(m)
	return err
}

func (m *machine) persist() error {
	key, err := tpm2.CreatePrimary{PrimaryHandle: by(tpm2.TPMRHOwner, ownerAuth), InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(m)
	if err != nil {
		return err
	}
	_, err = tpm2.EvictControl{
		Auth:             by(tpm2.TPMRHOwner, ownerAuth),
		ObjectHandle:     &tpm2.NamedHandle{Handle: key.ObjectHandle, Name: key.Name},
		PersistentHandle: persistent,
	}.Execute(m)
	return err
}

func (m *machine) evict() error {
	public, err := tpm2.ReadPublic{ObjectHandle: persistent}.Execute(m)
	if err != nil {
		return err
	}
	_, err = tpm2.EvictControl{
		Auth:             by(tpm2.TPMRHOwner, ownerAuth),
		ObjectHandle:     &tpm2.NamedHandle{Handle: persistent, Name: public.Name},
		PersistentHandle: persistent,
	}.Execute(m)
	return err
}

// guess tries a wrong authValue, which is counted.
func (m *machine) guess() error {
	_, err := m.read(dataIndex, 1, "wrong")
	if errors.Is(err, tpm2.TPMRCAuthFail) {
		return nil
	}
	return fmt.Errorf("a wrong authValue: %w", err)
}

// restart shuts the TPM down and starts it again.
func (m *machine) restart(kind tpm2.TPMSU) error {
	if _, err := (tpm2.Shutdown{ShutdownType: kind}).Execute(m); err != nil {
		return err
	}
	m.Init()
	return m.startup(kind)
}

// facts are what holds from the end of a step until another one begins.
var facts = []struct {
	from, until string
	check       func(m *machine) error
}{
	{"define data", "undefine data", func(m *machine) error {
		_, err := tpm2.NVReadPublic{NVIndex: dataIndex}.Execute(m)
		return err
	}},
	{"write data", "write data again", func(m *machine) error { return m.holds("first") }},
	{"write data again", "undefine data", func(m *machine) error { return m.holds("second") }},
	{"set owner auth", "reset owner auth", func(m *machine) error { return m.changeOwner(ownerAuth, ownerAuth) }},
	{"reset owner auth", "", func(m *machine) error { return m.changeOwner("", "") }},
	{"persist key", "evict key", func(m *machine) error {
		_, err := tpm2.ReadPublic{ObjectHandle: persistent}.Execute(m)
		return err
	}},
	{"evict key", "", func(m *machine) error {
		if _, err := (tpm2.ReadPublic{ObjectHandle: persistent}).Execute(m); err == nil {
			return errors.New("the key is back")
		}
		return nil
	}},
	{"fail an authorization", "", func(m *machine) error { return m.failures(1) }},
	{"fail another one", "", func(m *machine) error { return m.failures(2) }},
}

// holds reads the data as the owner, whose failed authorizations are not counted:
// the power cut was one, if the index was in use.
func (m *machine) holds(want string) error {
	var have []byte
	var err error
	for _, auth := range []string{"", ownerAuth} {
		var r *tpm2.NVReadResponse
		r, err = tpm2.NVRead{AuthHandle: by(tpm2.TPMRHOwner, auth), NVIndex: m.index(dataIndex), Size: uint16(len(want))}.Execute(m)
		if err == nil {
			have = r.Data.Buffer
			break
		}
	}
	if err == nil && string(have) != want {
		err = fmt.Errorf("the index holds %q, want %q", have, want)
	}
	return err
}

// failures demands that so many failed authorizations are counted, or more: a power
// cut counts as one.
func (m *machine) failures(least uint32) error {
	r, err := tpm2.GetCapability{Capability: tpm2.TPMCapTPMProperties, Property: uint32(tpm2.TPMPTLockoutCounter), PropertyCount: 1}.Execute(m)
	if err != nil {
		return err
	}
	properties, err := r.CapabilityData.Data.TPMProperties()
	if err == nil && (len(properties.TPMProperty) != 1 || properties.TPMProperty[0].Value < least) {
		err = fmt.Errorf("failed authorizations %v, want %d", properties.TPMProperty, least)
	}
	return err
}

// revive starts the TPM on a disk after a power cut, and checks what was promised by
// the steps that were acknowledged. The next one may have happened.
func revive(t testing.TB, d *disk, done int) {
	t.Helper()
	m, err := powerOn(mustOpen(t, d))
	if err != nil {
		t.Fatalf("after %d steps: %v", done, err)
	}
	at := func(name string) int {
		i := slices.IndexFunc(life, func(s step) bool { return s.name == name })
		if i < 0 {
			return len(life) + 1
		}
		return i
	}
	for _, f := range facts {
		if at(f.from) < done && done < at(f.until) {
			if err := f.check(m); err != nil {
				t.Fatalf("after %d steps: since %q: %v", done, f.from, err)
			}
		}
	}
	counted := uint64(0)
	for _, s := range life[:done] {
		if s.name == "count" || s.name == "count to 1" {
			counted++
		}
	}
	if counted == 0 {
		return
	}
	value, err := m.read(counterIndex, 8, "")
	if err != nil {
		t.Fatalf("after %d steps: %v", done, err)
	}
	if n := binary.BigEndian.Uint64(value); n != counted && n != counted+1 {
		t.Fatalf("after %d steps: the counter is %d, want %d or one more", done, n, counted)
	}
}
