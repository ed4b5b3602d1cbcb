package engine

import (
	"bytes"
	"hash"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// What becomes of a field when the volatile state is saved.
const (
	saved    = "saved"    // it is in the blob, and the test changes it to see that
	parts    = "parts"    // its fields are in this table, too
	codec    = "codec"    // it has an encoding of its own, with a test of its own
	record   = "record"   // it is persistent: the store has it
	derived  = "derived"  // it is made again from others
	transit  = "transit"  // it is of no meaning between commands
	option   = "option"   // the new process has its own
	blobless = "blobless" // it has a blob of its own kind: see writeVolatile
)

// fates has every field of every type of the state. A new field goes here, and into the
// blob unless there is a reason.
var fates = map[string]map[string]string{
	"TPM": {
		"Profile": option, "Commands": option, "store": option, "entropy": option, "clock": option,
		"Hierarchies": parts, "Lockout": parts, "PCR": parts, "NV": parts, "Objects": parts, "Sessions": parts,
		"Clock": parts, "Audit": parts, "ACTs": parts, "Commits": parts,
		"AlgorithmSet": record, "presence": record, "shutdown": record, "PhysicalPresence": saved,
		"Command": transit, "started": saved, "startedOrderly": saved, "failure": blobless, "drtm": parts,
		"hcrtm": saved, "locality": saved, "dirty": transit, "committedInterval": derived,
		"clockBefore": transit, "lockoutBefore": transit, "uncommittedFailure": transit,
	},
	"Hierarchies": {
		"Owner": parts, "Endorsement": parts, "Platform": parts, "Null": parts, "Lockout": record,
		"PlatformNVEnabled": saved, "DisableClear": record, "ReadOnly": saved,
	},
	"Hierarchy/Owner":       {"Seed": record, "SeedVersion": record, "Proof": record, "Auth": record, "Policy": record, "PolicyAlg": record, "Enabled": saved, "primaries": derived},
	"Hierarchy/Endorsement": {"Seed": record, "SeedVersion": record, "Proof": record, "Auth": record, "Policy": record, "PolicyAlg": record, "Enabled": saved, "primaries": derived},
	"Hierarchy/Platform":    {"Seed": record, "SeedVersion": record, "Proof": record, "Auth": saved, "Policy": saved, "PolicyAlg": saved, "Enabled": saved, "primaries": derived},
	// The null hierarchy's authValue and authPolicy are empty for ever, and its seed is
	// never an old one.
	"Hierarchy/Null": {"Seed": saved, "SeedVersion": derived, "Proof": saved, "Auth": derived, "Policy": derived, "PolicyAlg": derived, "Enabled": saved, "primaries": derived},
	"Lockout": {
		"FailedTries": record, "MaxTries": record, "RecoveryTime": record, "LockoutRecovery": record, "AuthEnabled": record,
		"used": record, "healWaited": record, "lockWaited": record, "healedAt": saved, "lockedAt": saved,
	},
	"PCRs":     {"UpdateCounter": saved, "Allocated": record, "Pending": saved, "banks": parts, "group": parts},
	"pcrGroup": {"auth": saved, "policy": record, "policyAlg": record},
	"pcrBank":  {"alg": saved, "values": saved},
	"NV":       {"MaxCounter": record, "indices": parts, "undo": transit},
	"NVIndex":  {"Public": codec, "Auth": record, "Data": saved, "name": derived},
	"Objects":  {"slots": codec, "persistent": record, "ContextID": saved, "ClearCount": saved},
	"Sessions": {
		"active": parts, "contextCounter": saved,
	},
	"activeSession": {"loaded": codec, "contextID": saved, "policy": saved},
	"Clock": {
		"Time": saved, "Clock": saved, "Safe": saved, "ResetCount": saved, "RestartCount": saved, "Epoch": saved,
		"Rate": saved, "TotalResetCount": saved, "recorded": option, "last": option, "remainder": saved,
	},
	"Audit":        {"Alg": record, "Counter": record, "Commands": record, "Digest": saved, "Skip": saved, "Exclusive": saved},
	"ACTs":         {"timers": parts, "counted": saved},
	"ACT":          {"Handle": saved, "Policy": saved, "PolicyAlg": saved, "remaining": saved, "signaled": saved, "preserved": saved, "updated": saved},
	"Commits":      {"nonce": saved, "counter": saved, "pending": saved},
	"hashSequence": {"algs": saved, "hashes": codec},
}

// busy returns a TPM in whose volatile state nothing is empty.
func busy(t *testing.T) *TPM {
	t.Helper()
	x, err := New(Options{
		Store:   &MemoryStore{},
		Entropy: rand.NewChaCha8([32]byte{}), Clock: func() time.Duration { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Startup(wire.SUClear, 0); err != nil {
		t.Fatal(err)
	}
	digest := bytes.Repeat([]byte{5}, 32)
	x.PCR.group.auth = digest
	x.Clock.Time, x.Clock.Rate, x.Clock.remainder = 5000, 7, 9
	x.Lockout.healedAt, x.Lockout.lockedAt = 1, 2
	x.Audit.Digest = bytes.Repeat([]byte{6}, crypt.Size(x.Audit.Alg))
	x.ACTs.timers[0].Policy, x.ACTs.timers[0].PolicyAlg, x.ACTs.counted = digest, wire.AlgSHA256, 3000
	x.Hierarchies.Platform.Auth = []byte("auth")
	x.Hierarchies.Platform.Policy, x.Hierarchies.Platform.PolicyAlg = digest, wire.AlgSHA256
	if _, err := x.CommitRandom(wire.CurveNISTP256, nil); err != nil {
		t.Fatal(err)
	}
	if err := x.DefineNV(&NVIndex{Public: wire.TPMSNVPublic{
		NVIndex: 0x01000001, NameAlg: wire.AlgSHA256, Attributes: wire.NVOrderly | wire.NVOwnerWrite, DataSize: 8,
	}}); err != nil {
		t.Fatal(err)
	}
	x.Sessions.active = []*activeSession{{contextID: 3, policy: true}}
	loaded := &Session{
		Type: wire.SEHMAC, AuthHash: wire.AlgSHA256, NonceTPM: digest, Key: digest,
		Symmetric: wire.TPMTSymDef{Algorithm: wire.AlgNull},
	}
	if err := x.AddSession(loaded); err != nil {
		t.Fatal(err)
	}
	if err := x.Commit(); err != nil {
		t.Fatal(err)
	}
	x.HashStart()
	x.HashData([]byte("half"))
	return x
}

func saveVolatile(t *testing.T, x *TPM) []byte {
	t.Helper()
	blob, err := x.SaveVolatile()
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

// TestVolatileStateIsComplete: every field of the state has a fate, and what is to be
// saved makes a difference to the blob.
func TestVolatileStateIsComplete(t *testing.T) {
	x := busy(t)
	checkFates(t, x, "TPM", reflect.ValueOf(x).Elem(), saveVolatile(t, x))
}

func checkFates(t *testing.T, x *TPM, name string, v reflect.Value, blob []byte) {
	fate, ok := fates[name]
	if !ok {
		t.Errorf("%s has no entry in fates", name)
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		path := name + "." + field.Name
		f := reflect.NewAt(field.Type, unsafe.Pointer(v.Field(i).UnsafeAddr())).Elem()
		switch fate[field.Name] {
		case saved:
			undo := change(t, path, f)
			if now, err := x.SaveVolatile(); err == nil && bytes.Equal(now, blob) {
				t.Errorf("%s is not in the volatile state", path)
			}
			undo()
		case parts:
			descend(t, x, path, f, blob)
		case "":
			t.Errorf("%s is new: is it volatile? Save it, and add it to fates", path)
		}
	}
	for field := range fate {
		if !v.FieldByName(field).IsValid() {
			t.Errorf("%s.%s is gone", name, field)
		}
	}
}

// descend checks the struct that f is, or the first one that it has.
func descend(t *testing.T, x *TPM, path string, f reflect.Value, blob []byte) {
	switch f.Kind() {
	case reflect.Struct:
		name := f.Type().Name()
		if name == "Hierarchy" {
			name += path[len("Hierarchies"):]
			name = "Hierarchy/" + name[len("Hierarchy."):]
		}
		checkFates(t, x, name, f, blob)
	case reflect.Pointer:
		descend(t, x, path, f.Elem(), blob)
	case reflect.Slice:
		descend(t, x, path, f.Index(0), blob)
	case reflect.Map:
		descend(t, x, path, f.MapIndex(f.MapKeys()[0]), blob)
	default:
		t.Errorf("%s is a %v", path, f.Kind())
	}
}

// change changes a value, and returns how to undo that.
func change(t *testing.T, path string, f reflect.Value) (undo func()) {
	before := reflect.New(f.Type()).Elem()
	before.Set(f)
	undo = func() { f.Set(before) }
	switch f.Kind() {
	case reflect.Bool:
		f.SetBool(!f.Bool())
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		f.SetUint(f.Uint() ^ 1)
	case reflect.Int32, reflect.Int64:
		f.SetInt(f.Int() ^ 1)
	case reflect.Array, reflect.Slice:
		if f.Len() == 0 {
			t.Fatalf("%s is empty: give it something in busy", path)
		}
		return change(t, path, f.Index(0))
	default:
		t.Fatalf("%s is a %v: how is that changed?", path, f.Kind())
	}
	return undo
}

// TestVolatileStateIsRead: what is saved again after a restore is the same, bit by bit,
// so that nothing that is written is not read.
func TestVolatileStateIsRead(t *testing.T) {
	x := busy(t)
	blob := saveVolatile(t, x)
	x.Init()
	if err := x.RestoreVolatile(blob); err != nil {
		t.Fatal(err)
	}
	if again := saveVolatile(t, x); !bytes.Equal(again, blob) {
		t.Errorf("have\n%x, want\n%x", again, blob)
	}
	var h hash.Hash = x.drtm.hashes[0]
	if h.Write([]byte(" and half")); !bytes.Equal(h.Sum(nil), crypt.Digest(x.drtm.algs[0], []byte("half and half"))) {
		t.Error("the launch's hash does not go on")
	}
}

// TestVolatileStateOfAFailure: a TPM in failure mode is in failure mode elsewhere, too,
// and an Init there ends it.
func TestVolatileStateOfAFailure(t *testing.T) {
	x := busy(t)
	x.Fail(wire.RCValue)
	blob := saveVolatile(t, x)
	x.Init()
	if x.Failure() != nil {
		t.Fatal(x.Failure())
	}
	if err := x.RestoreVolatile(blob); err != nil {
		t.Fatal(err)
	}
	if x.Failure() == nil {
		t.Fatal("the failure is forgotten")
	}
	if x.Init(); x.Failure() != nil {
		t.Errorf("after Init: %v", x.Failure())
	}
}
