package vtpm_test

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"maps"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// These files run go-tpm's client API against the TPM: every command of the
// foundation, protected in every way that the command allows, with its outputs
// verified by the standard library.

// scenes are what is done, each in every way.
var scenes = []struct {
	name string
	run  func(*bench)
}{
	{"startup", startup},
	{"self-test", selfTest},
	{"randomness", randomness},
	{"capabilities", capabilities},
	{"parameters", testParms},
	{"sessions", startSessions},
	{"measurements", measurements},
	{"PCR update counter", pcrCounter},
	{"primary keys", primaries},
	{"sealing", sealing},
	{"persistence", persistence},
	{"contexts", contexts},
	{"external keys", external},
	{"credentials", credentials},
	{"hashing", hashing},
	{"HMAC", macs},
	{"signatures", signatures},
	{"quotes", quotes},
	{"certification", certification},
	{"policy of PCRs", policyPCR},
	{"policy of branches", policyBranches},
	{"policy of authValue", policyAuth},
	{"policy of a secret", policySecret},
	{"policy of a signature", policySigned},
	{"policy of an authority", policyAuthorize},
	{"policy of an index", policyNV},
	{"NV data", nvData},
	{"NV counter", nvCounter},
	{"NV extend", nvExtend},
	{"authorizations", changeAuth},
	{"clear", clearing},
	{"lockout", lockingOut},
}

// foundation are the commands that the scenes must run.
var foundation = []tpm2.TPMCC{
	tpm2.TPMCCStartup, tpm2.TPMCCShutdown, tpm2.TPMCCSelfTest, tpm2.TPMCCGetTestResult, tpm2.TPMCCGetCapability,
	tpm2.TPMCCGetRandom, tpm2.TPMCCStirRandom, tpm2.TPMCCPCRExtend, tpm2.TPMCCPCREvent, tpm2.TPMCCPCRRead, tpm2.TPMCCPCRReset,
	tpm2.TPMCCStartAuthSession, tpm2.TPMCCFlushContext, tpm2.TPMCCCreatePrimary, tpm2.TPMCCCreate, tpm2.TPMCCLoad,
	tpm2.TPMCCLoadExternal, tpm2.TPMCCReadPublic, tpm2.TPMCCUnseal, tpm2.TPMCCEvictControl, tpm2.TPMCCContextSave,
	tpm2.TPMCCContextLoad, tpm2.TPMCCPolicyPCR, tpm2.TPMCCPolicyOR, tpm2.TPMCCPolicyAuthValue, tpm2.TPMCCPolicyPassword,
	tpm2.TPMCCPolicyCommandCode, tpm2.TPMCCPolicyGetDigest, tpm2.TPMCCPolicyRestart, tpm2.TPMCCPolicySecret,
	tpm2.TPMCCPolicySigned, tpm2.TPMCCPolicyAuthorize, tpm2.TPMCCPolicyNV, tpm2.TPMCCPolicyAuthorizeNV,
	tpm2.TPMCCNVDefineSpace, tpm2.TPMCCNVUndefineSpace, tpm2.TPMCCNVWrite, tpm2.TPMCCNVRead, tpm2.TPMCCNVReadPublic,
	tpm2.TPMCCNVIncrement, tpm2.TPMCCNVExtend, tpm2.TPMCCQuote, tpm2.TPMCCCertify, tpm2.TPMCCSign, tpm2.TPMCCVerifySignature,
	tpm2.TPMCCHash, tpm2.TPMCCMAC, tpm2.TPMCCMakeCredential, tpm2.TPMCCActivateCredential, tpm2.TPMCCClear,
	tpm2.TPMCCHierarchyChanegAuth, tpm2.TPMCCDictionaryAttackLockReset, tpm2.TPMCCDictionaryAttackParameters, tpm2.TPMCCTestParms,
}

// TestClient runs the scenes, and demands that they leave out no command.
func TestClient(t *testing.T) {
	var mu sync.Mutex
	seen := make(map[string]map[tpm2.TPMCC]bool) // by way
	done := make(map[string]int)                 // scenes, by way
	t.Run("scenes", func(t *testing.T) {
		for _, w := range ways {
			seen[w.name] = make(map[tpm2.TPMCC]bool)
			for _, s := range scenes {
				t.Run(w.name+"/"+s.name, func(t *testing.T) {
					t.Parallel()
					b := openBench(t, w)
					s.run(b)
					mu.Lock()
					defer mu.Unlock()
					maps.Copy(seen[w.name], b.seen)
					done[w.name]++
				})
			}
		}
	})
	for _, w := range ways {
		for _, cc := range foundation {
			if done[w.name] == len(scenes) && !seen[w.name][cc] {
				t.Errorf("%s: no scene runs command %#x", w.name, uint32(cc))
			}
		}
	}
}

// way is how a client protects its commands.
type way struct {
	name  string
	bits  tpm2.TPMKeyBits // of the AES key that encrypts parameters; 0: none are
	salt  tpm2.TPMHandle  // the key that salts the sessions; 0: they are not salted
	audit bool
}

var ways = []way{
	{name: "passwords"},
	{name: "AES-128 salted with P-256", bits: 128, salt: eccParent},
	{name: "AES-256 salted with RSA-2048", bits: 256, salt: rsaParent},
	{name: "audit", audit: true},
	{name: "audit and AES-128 salted with P-256", bits: 128, salt: eccParent, audit: true},
}

// eccParent and rsaParent are the storage root keys that every bench has.
const (
	eccParent tpm2.TPMHandle = 0x81000001
	rsaParent tpm2.TPMHandle = 0x81000002
)

// memory is a vtpm.Store that can be copied.
type memory map[string][]byte

func (m memory) Load() (map[string][]byte, error) {
	records := make(map[string][]byte)
	for name, value := range m {
		records[name] = bytes.Clone(value)
	}
	return records, nil
}

func (m memory) Commit(changes map[string][]byte) error {
	for name, value := range changes {
		if value == nil {
			delete(m, name)
		} else {
			m[name] = bytes.Clone(value)
		}
	}
	return nil
}

// provisioned returns the state of a TPM with the storage root keys. RSA keys take
// time to make, so that the benches share it.
var provisioned = sync.OnceValue(func() memory {
	state := make(memory)
	p, err := vtpm.New(vtpm.Options{Store: state, Entropy: vtpmtest.Entropy()})
	if err != nil {
		panic(err)
	}
	if _, err := (tpm2.Startup{StartupType: tpm2.TPMSUClear}).Execute(p); err != nil {
		panic(err)
	}
	for handle, template := range map[tpm2.TPMHandle]tpm2.TPMTPublic{eccParent: tpm2.ECCSRKTemplate, rsaParent: tpm2.RSASRKTemplate} {
		primary, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(template)}.Execute(p)
		if err != nil {
			panic(err)
		}
		if _, err := (tpm2.EvictControl{
			Auth:             tpm2.TPMRHOwner,
			ObjectHandle:     tpm2.NamedHandle{Handle: primary.ObjectHandle, Name: primary.Name},
			PersistentHandle: handle,
		}).Execute(p); err != nil {
			panic(err)
		}
	}
	if _, err := (tpm2.Shutdown{ShutdownType: tpm2.TPMSUClear}).Execute(p); err != nil {
		panic(err)
	}
	return state
})

// bench is a TPM with a client that protects its commands in one way.
type bench struct {
	testing.TB
	*vtpmtest.TPM
	store  memory
	way    way
	public map[tpm2.TPMHandle]tpm2.TPMTPublic // of the storage root keys
	seen   map[tpm2.TPMCC]bool                // commands that went through exec

	privacyAuth       []byte // of the endorsement hierarchy
	command, response []byte // the last ones
}

func openBench(t testing.TB, w way) *bench {
	t.Helper()
	b := &bench{TB: t, store: maps.Clone(provisioned()), way: w, public: make(map[tpm2.TPMHandle]tpm2.TPMTPublic), seen: make(map[tpm2.TPMCC]bool)}
	b.TPM = vtpmtest.OpenOptions(t, vtpm.Options{Store: b.store})
	for _, h := range []tpm2.TPMHandle{eccParent, rsaParent} {
		b.public[h] = contents(b, must(tpm2.ReadPublic{ObjectHandle: h}.Execute(b.TPM))(b).OutPublic)
	}
	return b
}

// Send is vtpm.TPM.Send; it keeps what was sent and answered.
func (b *bench) Send(command []byte) ([]byte, error) {
	b.command = bytes.Clone(command)
	b.response = b.Execute(0, command)
	return bytes.Clone(b.response), nil
}

// must returns a function that returns r, or ends the test.
func must[R any](r R, err error) func(testing.TB) R {
	return func(t testing.TB) R {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

// contents returns what is in a TPM2B.
func contents[T tpm2.Marshallable, P interface {
	*T
	tpm2.Unmarshallable
}](t testing.TB, b tpm2.TPM2B[T, P]) T {
	t.Helper()
	return *must(b.Contents())(t)
}

// auth returns a session that authorizes with the authValue.
func (b *bench) auth(value string) tpm2.Session {
	if b.way.bits == 0 && !b.way.audit {
		return tpm2.PasswordAuth([]byte(value))
	}
	return tpm2.HMAC(tpm2.TPMAlgSHA256, 16, append(b.salted(), tpm2.Auth([]byte(value)))...)
}

func (b *bench) salted() []tpm2.AuthOption {
	if b.way.salt == 0 {
		return nil
	}
	return []tpm2.AuthOption{tpm2.Salted(b.way.salt, b.public[b.way.salt])}
}

// by returns a hierarchy with a session for its authValue.
func (b *bench) by(hierarchy tpm2.TPMHandle, auth string) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: hierarchy, Auth: b.auth(auth)}
}

// parent returns the P-256 storage root key with a session for it.
func (b *bench) parent() tpm2.AuthHandle {
	public := b.public[eccParent]
	return tpm2.AuthHandle{Handle: eccParent, Name: *must(tpm2.ObjectName(&public))(b), Auth: b.auth("")}
}

// exec runs a command that must succeed, with a further session for parameter
// encryption and audit as far as the bench's way and the command have it.
func exec[R any](b *bench, cmd tpm2.Command[R, *R]) *R {
	b.Helper()
	b.seen[cmd.Command()] = true
	in, out := encryptable[R](cmd)
	if !takesSessions(cmd.Command()) || !b.way.audit && (b.way.bits == 0 || !in && !out) {
		return must(cmd.Execute(b))(b)
	}
	options := b.salted()
	switch {
	case b.way.bits == 0 || !in && !out:
	case in && out:
		options = append(options, tpm2.AESEncryption(b.way.bits, tpm2.EncryptInOut))
	case in:
		options = append(options, tpm2.AESEncryption(b.way.bits, tpm2.EncryptIn))
	default:
		options = append(options, tpm2.AESEncryption(b.way.bits, tpm2.EncryptOut))
	}
	if !b.way.audit {
		return must(cmd.Execute(b, tpm2.HMAC(tpm2.TPMAlgSHA256, 16, options...)))(b)
	}
	s, end, err := tpm2.HMACSession(b.TPM, tpm2.TPMAlgSHA256, 16, append(options, tpm2.Audit())...)
	if err != nil {
		b.Fatal(err)
	}
	r := must(cmd.Execute(b, s))(b)
	b.checkAudit(s.Handle(), auditDigest[R](b, make([]byte, 32), cmd))
	if err := end(); err != nil {
		b.Fatal(err)
	}
	return r
}

// takesSessions reports whether Part 3 allows sessions with the command.
func takesSessions(cc tpm2.TPMCC) bool {
	switch cc {
	case tpm2.TPMCCStartup, tpm2.TPMCCContextSave, tpm2.TPMCCContextLoad, tpm2.TPMCCFlushContext:
		return false
	}
	return true
}

// encryptable reports whether the first parameter of the command and of its
// response can be encrypted: whether they are sized buffers.
func encryptable[R any](cmd tpm2.Command[R, *R]) (in, out bool) {
	if c, ok := any(cmd).(bare); ok {
		return c.in, c.out
	}
	return takesSessions(cmd.Command()) && sizedFirst(reflect.TypeOf(cmd)), sizedFirst(reflect.TypeFor[R]())
}

func sizedFirst(t reflect.Type) bool {
	for i := range t.NumField() {
		if f := t.Field(i); !isHandle(f) {
			return strings.HasPrefix(f.Type.Name(), "TPM2B")
		}
	}
	return false
}

func isHandle(f reflect.StructField) bool {
	return strings.HasPrefix(f.Tag.Get("gotpm"), "handle")
}

// checkAudit compares the audit digest of a session with the one that is due.
func (b *bench) checkAudit(session tpm2.TPMHandle, want []byte) {
	b.Helper()
	r := must(tpm2.GetSessionAuditDigest{
		PrivacyAdminHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHEndorsement, Auth: tpm2.PasswordAuth(b.privacyAuth)},
		SessionHandle:      session,
	}.Execute(b.TPM))(b)
	attest := contents(b, r.AuditInfo)
	if have := must(attest.Attested.SessionAudit())(b).SessionDigest.Buffer; !bytes.Equal(have, want) {
		b.Errorf("audit digest %x, want %x", have, want)
	}
}

// auditDigest extends an audit digest by the last command and response, as they
// were on the wire.
func auditDigest[R any](b *bench, old []byte, cmd tpm2.Command[R, *R]) []byte {
	names := namesOf(b, cmd)
	code := binary.BigEndian.AppendUint32(nil, uint32(cmd.Command()))
	params := b.command[10+4*len(names):]
	params = params[4+binary.BigEndian.Uint32(params):]
	cpHash := digest(crypto.SHA256, append(append([][]byte{code}, names...), params)...)
	rest := b.response[10:]
	if _, ok := reflect.TypeFor[R]().FieldByNameFunc(func(name string) bool {
		f, _ := reflect.TypeFor[R]().FieldByName(name)
		return isHandle(f)
	}); ok {
		rest = rest[4:]
	}
	rest = rest[4 : 4+binary.BigEndian.Uint32(rest)]
	rpHash := digest(crypto.SHA256, make([]byte, 4), code, rest)
	return digest(crypto.SHA256, old, cpHash, rpHash)
}

// namesOf returns the Names of the command's handles.
func namesOf(t testing.TB, cmd any) [][]byte {
	var names [][]byte
	add := func(h any) {
		named, ok := h.(interface{ KnownName() *tpm2.TPM2BName })
		if !ok {
			named = tpm2.TPMRHNull // a handle that is left out
		}
		names = append(names, named.KnownName().Buffer)
	}
	if c, ok := any(cmd).(bare); ok {
		for _, h := range c.handles {
			add(h)
		}
		return names
	}
	v := reflect.ValueOf(cmd)
	for i := range v.NumField() {
		if isHandle(v.Type().Field(i)) {
			add(v.Field(i).Interface())
		}
	}
	return names
}
