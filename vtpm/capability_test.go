package vtpm_test

import (
	"bytes"
	"crypto"
	"fmt"
	"slices"
	"testing"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// What TPM2_GetCapability lists of algorithms, curves and commands is true: what is
// listed works, and what is not, but for SHA-3, does not.

var profiles = []vtpm.Profile{vtpm.PCClient(), vtpm.Libtpms()}

// eachProfile runs a test with a TPM of each profile.
func eachProfile(t *testing.T, test func(t *testing.T, c *client)) {
	for _, p := range profiles {
		t.Run(p.Name(), func(t *testing.T) {
			test(t, &client{TB: t, TPM: vtpmtest.OpenOptions(t, vtpm.Options{Profile: p})})
		})
	}
}

// knownLimits has all that any profile has, to decode with.
func knownLimits() *wire.Limits {
	l := wire.DefaultLimits()
	l.Curves = append(l.Curves, wire.CurveNISTP192, wire.CurveBNP638)
	l.Schemes = append(l.Schemes, wire.AlgECMQV)
	return l
}

// capabilityOf returns one group from a property on.
func (c *client) capabilityOf(group wire.Cap, property uint32) wire.TPMUCapabilities {
	c.Helper()
	x := c.ok(request{cc: wire.CCGetCapability, params: params(group, property, uint32(1000))})
	var d wire.TPMSCapabilityData
	r := wire.NewReader(x.params[1:], knownLimits())
	d.Read(r)
	if err := r.Err(); err != nil || x.params[0] != 0 {
		c.Fatalf("capability %d: %v, more: %d", group, err, x.params[0])
	}
	return d.Data
}

func TestAlgorithmsAreTrue(t *testing.T) {
	eachProfile(t, func(t *testing.T, c *client) {
		var listed []wire.Alg
		for _, p := range c.capabilityOf(wire.CapAlgs, 0).Algorithms {
			listed = append(listed, p.Alg)
			if uses[p.Alg] == nil {
				t.Errorf("%v is listed, and the test has no use for it", p.Alg)
			}
		}
		if works := uses[wire.AlgSHA3256](c) == wire.RCSuccess; works != (t.Name() == "TestAlgorithmsAreTrue/pcclient") {
			t.Errorf("SHA-3 works: %v", works)
		} else if works { // it is not listed
			listed = append(listed, wire.AlgSHA3256, wire.AlgSHA3384, wire.AlgSHA3512)
		}
		for alg, use := range uses {
			t.Run(fmt.Sprint(alg), func(t *testing.T) {
				rc := use(&client{TB: t, TPM: c.TPM})
				if (rc == wire.RCSuccess) != slices.Contains(listed, alg) {
					t.Errorf("listed: %v, its use ends with %v", slices.Contains(listed, alg), rc)
				}
			})
		}
	})
}

func TestCurvesAreTrue(t *testing.T) {
	eachProfile(t, func(t *testing.T, c *client) {
		listed := c.capabilityOf(wire.CapECCCurves, 0).ECCCurves
		for id := wire.CurveNone + 1; id <= wire.Curve448; id++ {
			rc := c.signAndVerify(eccArea(id, wire.ObjSign, wire.AlgNull), wire.AlgECDSA)
			if has := slices.Contains(listed, id); has && rc != wire.RCSuccess || !has && rc != wire.RCCurve.Param(2) {
				t.Errorf("%v: listed: %v, its use ends with %v", id, has, rc)
			}
			if rc = c.do(request{cc: wire.CCECCParameters, params: params(id)}).rc; (rc == wire.RCSuccess) != slices.Contains(listed, id) {
				t.Errorf("%v: TPM2_ECC_Parameters ends with %v", id, rc)
			}
		}
		if n := c.property(wire.PTLoadedCurves); int(n) != len(listed) {
			t.Errorf("TPM_PT_LOADED_CURVES is %d, listed are %d", n, len(listed))
		}
	})
}

// A command that is listed is known by its code; one that is not, is not.
func TestCommandsAreTrue(t *testing.T) {
	eachProfile(t, func(t *testing.T, c *client) {
		listed := c.capabilityOf(wire.CapCommands, 0).Command
		for cc := wire.CC(0x100); cc < 0x200; cc++ {
			has := slices.ContainsFunc(listed, func(a wire.TPMACC) bool { return wire.CC(a&0xFFFF) == cc })
			switch cc {
			case wire.CCClear, wire.CCShutdown: // would succeed, or make a difference
				continue
			}
			rc := c.do(request{cc: cc}).rc
			if has == (rc == wire.RCCommandCode) {
				t.Errorf("%v: listed: %v, it ends with %v", cc, has, rc)
			}
		}
		for _, p := range []wire.PT{wire.PTTotalCommands, wire.PTLibraryCommands} {
			if n := c.property(p); int(n) != len(listed) {
				t.Errorf("property %#x is %d, listed are %d", uint32(p), n, len(listed))
			}
		}
	})
}

// RSA keys of every size, and 1,024 bits only where they are not switched off.
func TestRSASizes(t *testing.T) {
	with := vtpmtest.OpenOptions(t, vtpm.Options{})
	without := vtpmtest.OpenOptions(t, vtpm.Options{Profile: vtpm.PCClient().WithoutRSA1024()})
	libtpms := vtpmtest.OpenOptions(t, vtpm.Options{Profile: vtpm.Libtpms()})
	for _, tt := range []struct {
		tpm  *vtpmtest.TPM
		bits uint16
		want wire.RC
	}{
		{with, 1024, wire.RCSuccess}, {with, 2048, wire.RCSuccess}, {with, 3072, wire.RCSuccess}, {with, 4096, wire.RCSuccess},
		{with, 512, wire.RCValue.Param(2)}, {with, 8192, wire.RCValue.Param(2)},
		{without, 1024, wire.RCValue.Param(2)}, {without, 2048, wire.RCSuccess},
		{libtpms, 1024, wire.RCSuccess}, {libtpms, 3072, wire.RCSuccess}, {libtpms, 4096, wire.RCValue.Param(2)},
	} {
		if testing.Short() && tt.bits > 2048 {
			continue
		}
		c := &client{TB: t, TPM: tt.tpm}
		if rc := c.signAndVerify(rsaArea(tt.bits, wire.ObjSign), wire.AlgRSAPSS); rc != tt.want {
			t.Errorf("%d bits: %v, want %v", tt.bits, rc, tt.want)
		}
	}
	if vtpm.PCClient().Name() != "pcclient" || vtpm.Libtpms().WithoutRSA1024().Name() != "libtpms" {
		t.Error("a profile has another name")
	}
}

func TestProfileNamed(t *testing.T) {
	for _, p := range profiles {
		if got, err := vtpm.ProfileNamed(p.Name()); err != nil || got.Name() != p.Name() {
			t.Errorf("%s: %v, %v", p.Name(), got, err)
		}
	}
	if _, err := vtpm.ProfileNamed("pc"); err == nil {
		t.Error("there is a profile pc")
	}
}

// uses have one for every algorithm: what a client would do with it. Each returns the
// response code of the first command that fails.
var uses = map[wire.Alg]func(c *client) wire.RC{
	wire.AlgRSA:       func(c *client) wire.RC { return c.signAndVerify(rsaArea(2048, wire.ObjSign), wire.AlgRSASSA) },
	wire.AlgRSASSA:    func(c *client) wire.RC { return c.signAndVerify(rsaArea(2048, wire.ObjSign), wire.AlgRSASSA) },
	wire.AlgRSAPSS:    func(c *client) wire.RC { return c.signAndVerify(rsaArea(2048, wire.ObjSign), wire.AlgRSAPSS) },
	wire.AlgRSAES:     func(c *client) wire.RC { return c.rsaThereAndBack(wire.AlgRSAES) },
	wire.AlgOAEP:      func(c *client) wire.RC { return c.rsaThereAndBack(wire.AlgOAEP) },
	wire.AlgMGF1:      func(c *client) wire.RC { return c.rsaThereAndBack(wire.AlgOAEP) },
	wire.AlgSHA1:      hashes(wire.AlgSHA1),
	wire.AlgSHA256:    hashes(wire.AlgSHA256),
	wire.AlgSHA384:    hashes(wire.AlgSHA384),
	wire.AlgSHA512:    hashes(wire.AlgSHA512),
	wire.AlgSHA3256:   hashes(wire.AlgSHA3256),
	wire.AlgSHA3384:   hashes(wire.AlgSHA3384),
	wire.AlgSHA3512:   hashes(wire.AlgSHA3512),
	wire.AlgHMAC:      func(c *client) wire.RC { return c.mac(hmacArea(), wire.AlgSHA256) },
	wire.AlgKeyedHash: func(c *client) wire.RC { return c.mac(hmacArea(), wire.AlgSHA256) },
	wire.AlgXOR:       func(c *client) wire.RC { return c.encryptedSession(xor) },
	wire.AlgAES:       func(c *client) wire.RC { return c.cipherThereAndBack(wire.AlgAES, wire.AlgCFB) },
	wire.AlgTDES:      func(c *client) wire.RC { return c.cipherThereAndBack(wire.AlgTDES, wire.AlgCFB) },
	wire.AlgCamellia:  func(c *client) wire.RC { return c.cipherThereAndBack(wire.AlgCamellia, wire.AlgCFB) },
	wire.AlgSM4:       func(c *client) wire.RC { return c.cipherThereAndBack(wire.AlgSM4, wire.AlgCFB) },
	wire.AlgSymCipher: func(c *client) wire.RC { return c.cipherThereAndBack(wire.AlgAES, wire.AlgCFB) },
	wire.AlgCFB:       func(c *client) wire.RC { return c.encryptedSession(aes128) },
	wire.AlgCTR:       func(c *client) wire.RC { return c.cipherThereAndBack(wire.AlgAES, wire.AlgCTR) },
	wire.AlgOFB:       func(c *client) wire.RC { return c.cipherThereAndBack(wire.AlgAES, wire.AlgOFB) },
	wire.AlgCBC:       func(c *client) wire.RC { return c.cipherThereAndBack(wire.AlgAES, wire.AlgCBC) },
	wire.AlgECB:       func(c *client) wire.RC { return c.cipherThereAndBack(wire.AlgAES, wire.AlgECB) },
	wire.AlgCMAC: func(c *client) wire.RC {
		return c.mac(cipherArea(wire.AlgAES, wire.AlgCMAC, wire.ObjSign), wire.AlgCMAC)
	},
	wire.AlgECC:          onP256(wire.AlgECDSA),
	wire.AlgECDSA:        onP256(wire.AlgECDSA),
	wire.AlgECSchnorr:    onP256(wire.AlgECSchnorr),
	wire.AlgSM2:          func(c *client) wire.RC { return firstFailure(onP256(wire.AlgSM2)(c), c.exchange(wire.AlgSM2)) },
	wire.AlgECDH:         func(c *client) wire.RC { return firstFailure(c.ecdh(), c.exchange(wire.AlgECDH)) },
	wire.AlgECMQV:        func(c *client) wire.RC { return c.exchange(wire.AlgECMQV) },
	wire.AlgECDAA:        (*client).ecdaa,
	wire.AlgKDF1SP80056A: (*client).credential,
	wire.AlgKDF1SP800108: (*client).derived,
	wire.AlgKDF2:         (*client).kdf2,
}

func firstFailure(codes ...wire.RC) wire.RC {
	for _, rc := range codes {
		if rc != wire.RCSuccess {
			return rc
		}
	}
	return wire.RCSuccess
}

// primary makes a primary object and removes it when the test ends, whatever else
// fails before.
func (c *client) primary(pub wire.TPMTPublic) (entity, wire.TPMTPublic, wire.RC) {
	c.Helper()
	x := c.do(request{cc: wire.CCCreatePrimary, handles: []entity{owner}, sessions: []*session{pw("")},
		params: params(params("", ""), wire.Marshal(pub), "", uint32(0))})
	if x.rc != wire.RCSuccess {
		return entity{}, pub, x.rc
	}
	e := entity{handle: x.handle}
	r := wire.NewReader(x.params, knownLimits())
	r.Limits.Ciphers = append(r.Limits.Ciphers, others...)
	var made wire.TPM2BPublic
	made.Read(r)
	if err := r.Err(); err != nil {
		c.Fatal(err)
	}
	return e, made.PublicArea, wire.RCSuccess
}

// others are the ciphers that the default profile has not.
var others = []wire.Cipher{
	{Alg: wire.AlgTDES, KeyBits: []uint16{128}}, {Alg: wire.AlgCamellia, KeyBits: []uint16{128}},
}

func (c *client) flush(e entity) { c.ok(request{cc: wire.CCFlushContext, params: params(e.handle)}) }

// by is a command with an empty password for its first handle.
func (c *client) by(cc wire.CC, e entity, values ...any) response {
	c.Helper()
	return c.do(request{cc: cc, handles: []entity{e}, sessions: []*session{pw("")}, params: params(values...)})
}

func area(typ wire.Alg, use wire.TPMAObject) wire.TPMTPublic {
	return wire.TPMTPublic{Type: typ, NameAlg: wire.AlgSHA256,
		ObjectAttributes: use | wire.ObjUserWithAuth | wire.ObjSensitiveDataOrigin | wire.ObjFixedTPM | wire.ObjFixedParent}
}

func rsaArea(bits uint16, use wire.TPMAObject) wire.TPMTPublic {
	pub := area(wire.AlgRSA, use)
	pub.Parameters.RSA = wire.TPMSRSAParms{
		Symmetric: wire.TPMTSymDefObject{Algorithm: wire.AlgNull}, Scheme: wire.TPMTRSAScheme{Scheme: wire.AlgNull}, KeyBits: bits,
	}
	return pub
}

func eccArea(id wire.ECCCurve, use wire.TPMAObject, scheme wire.Alg) wire.TPMTPublic {
	pub := area(wire.AlgECC, use)
	pub.Parameters.ECC = wire.TPMSECCParms{
		Symmetric: wire.TPMTSymDefObject{Algorithm: wire.AlgNull}, Scheme: wire.TPMTECCScheme{Scheme: scheme, HashAlg: wire.AlgSHA256},
		CurveID: id, KDF: wire.TPMTKDFScheme{Scheme: wire.AlgNull},
	}
	if use.Has(wire.ObjRestricted) {
		pub.Parameters.ECC.Symmetric = wire.TPMTSymDefObject(aes128)
	}
	return pub
}

func hmacArea() wire.TPMTPublic {
	pub := area(wire.AlgKeyedHash, wire.ObjSign)
	pub.Parameters.KeyedHash.Scheme = wire.TPMTKeyedHashScheme{Scheme: wire.AlgHMAC, HashAlg: wire.AlgSHA256}
	return pub
}

func cipherArea(alg, mode wire.Alg, use wire.TPMAObject) wire.TPMTPublic {
	pub := area(wire.AlgSymCipher, use)
	pub.Parameters.Sym.Sym = wire.TPMTSymDefObject{Algorithm: alg, KeyBits: 128, Mode: mode}
	return pub
}

// hashes hashes, and compares with the standard library.
func hashes(alg wire.Alg) func(c *client) wire.RC {
	return func(c *client) wire.RC {
		c.Helper()
		x := c.do(request{cc: wire.CCHash, params: params("abc", alg, wire.HandleNull)})
		if x.rc == wire.RCSuccess {
			h, ok := sha3[alg]
			if !ok {
				h = c.hash(alg)
			}
			if want := params(digest(h, []byte("abc"))); !bytes.HasPrefix(x.params, want) {
				c.Errorf("%v: %x, want %x", alg, x.params, want)
			}
		}
		return x.rc
	}
}

// sha3 are the hashes that the client library does not know.
var sha3 = map[wire.Alg]crypto.Hash{wire.AlgSHA3256: crypto.SHA3_256, wire.AlgSHA3384: crypto.SHA3_384, wire.AlgSHA3512: crypto.SHA3_512}

func onP256(scheme wire.Alg) func(c *client) wire.RC {
	return func(c *client) wire.RC {
		return c.signAndVerify(eccArea(wire.CurveNISTP256, wire.ObjSign, wire.AlgNull), scheme)
	}
}

func (c *client) signAndVerify(pub wire.TPMTPublic, scheme wire.Alg) wire.RC {
	c.Helper()
	key, _, rc := c.primary(pub)
	if rc != wire.RCSuccess {
		return rc
	}
	defer c.flush(key)
	d := make([]byte, 32)
	x := c.by(wire.CCSign, key, d, wire.TPMTSigScheme{Scheme: scheme, HashAlg: wire.AlgSHA256}, nullTicket)
	if x.rc != wire.RCSuccess {
		return x.rc
	}
	verify := request{cc: wire.CCVerifySignature, handles: []entity{key}, params: append(params(d), x.params...)}
	rc = c.do(verify).rc
	verify.params[2] ^= 1
	if bad := c.do(verify).rc; rc == wire.RCSuccess && bad != wire.RCSignature.Param(2) {
		c.Errorf("%v: another digest ends with %v", scheme, bad)
	}
	return rc
}

var nullTicket = wire.TPMTTKHashCheck{Tag: wire.STHashCheck, Hierarchy: wire.HandleNull}

func (c *client) rsaThereAndBack(scheme wire.Alg) wire.RC {
	c.Helper()
	key, _, rc := c.primary(rsaArea(2048, wire.ObjDecrypt))
	if rc != wire.RCSuccess {
		return rc
	}
	defer c.flush(key)
	s := wire.TPMTRSADecrypt{Scheme: scheme, HashAlg: wire.AlgSHA256}
	x := c.do(request{cc: wire.CCRSAEncrypt, handles: []entity{key}, params: params("message", s, "")})
	if x.rc != wire.RCSuccess {
		return x.rc
	}
	x = c.by(wire.CCRSADecrypt, key, x.params[2:], s, "")
	if x.rc == wire.RCSuccess && !bytes.Equal(x.params, params("message")) {
		c.Errorf("%v: %x", scheme, x.params)
	}
	return x.rc
}

func (c *client) cipherThereAndBack(alg, mode wire.Alg) wire.RC {
	c.Helper()
	key, _, rc := c.primary(cipherArea(alg, wire.AlgNull, wire.ObjSign|wire.ObjDecrypt))
	if rc != wire.RCSuccess {
		return rc
	}
	defer c.flush(key)
	iv := make([]byte, 16)
	if alg == wire.AlgTDES {
		iv = iv[:8]
	}
	if mode == wire.AlgECB {
		iv = nil
	}
	const message = "thirty-two bytes: blocks of each"
	x := c.by(wire.CCEncryptDecrypt2, key, message, uint8(0), mode, iv)
	if x.rc != wire.RCSuccess {
		return x.rc
	}
	x = c.by(wire.CCEncryptDecrypt2, key, x.params[2:2+len(message)], uint8(1), mode, iv)
	if x.rc == wire.RCSuccess && !bytes.HasPrefix(x.params, params(message)) {
		c.Errorf("%v %v: %q", alg, mode, x.params)
	}
	return x.rc
}

func (c *client) mac(pub wire.TPMTPublic, alg wire.Alg) wire.RC {
	c.Helper()
	key, _, rc := c.primary(pub)
	if rc != wire.RCSuccess {
		return rc
	}
	defer c.flush(key)
	return c.by(wire.CCMAC, key, "message", alg).rc
}

// encryptedSession has a parameter encrypted on the way to the TPM and one on the way
// back.
func (c *client) encryptedSession(sym wire.TPMTSymDef) wire.RC {
	c.Helper()
	s := c.start(wire.SEHMAC, wire.AlgSHA256, sym).with(wire.SessDecrypt | wire.SessEncrypt)
	x := c.do(request{cc: wire.CCHash, sessions: []*session{s}, params: params("abc", wire.AlgSHA256, wire.HandleNull)})
	if want := params(digest(crypto.SHA256, []byte("abc"))); x.rc == wire.RCSuccess && !bytes.HasPrefix(x.params, want) {
		c.Errorf("session with %v: %x, want %x", sym.Algorithm, x.params, want)
	}
	return x.rc
}

func (c *client) ecdh() wire.RC {
	c.Helper()
	key, _, rc := c.primary(eccArea(wire.CurveNISTP256, wire.ObjDecrypt, wire.AlgECDH))
	if rc != wire.RCSuccess {
		return rc
	}
	defer c.flush(key)
	x := c.do(request{cc: wire.CCECDHKeyGen, handles: []entity{key}})
	if x.rc != wire.RCSuccess {
		return x.rc
	}
	n := len(x.params) / 2 // the shared point, then the public one
	shared, public := x.params[:n], x.params[n:]
	x = c.do(request{cc: wire.CCECDHZGen, handles: []entity{key}, sessions: []*session{pw("")}, params: public})
	if x.rc == wire.RCSuccess && !bytes.Equal(x.params, shared) {
		c.Errorf("ECDH: %x, want %x", x.params, shared)
	}
	return x.rc
}

// exchange makes an exchange in two phases, with the key itself as the other party.
func (c *client) exchange(scheme wire.Alg) wire.RC {
	c.Helper()
	key, pub, rc := c.primary(eccArea(wire.CurveNISTP256, wire.ObjDecrypt, wire.AlgNull))
	if rc != wire.RCSuccess {
		return rc
	}
	defer c.flush(key)
	x := c.ok(request{cc: wire.CCECEphemeral, params: params(wire.CurveNISTP256)})
	counter := x.params[len(x.params)-2:]
	q := wire.Marshal(wire.TPM2BECCPoint{Point: pub.Unique.ECC})
	all := bytes.Join([][]byte{q, q, wire.Marshal(scheme), counter}, nil)
	return c.do(request{cc: wire.CCZGen2Phase, handles: []entity{key}, sessions: []*session{pw("")}, params: all}).rc
}

// ecdaa commits and signs.
func (c *client) ecdaa() wire.RC {
	c.Helper()
	key, _, rc := c.primary(eccArea(wire.CurveNISTP256, wire.ObjSign, wire.AlgECDAA))
	if rc != wire.RCSuccess {
		return rc
	}
	defer c.flush(key)
	x := c.by(wire.CCCommit, key, wire.TPM2BECCPoint{}, "", "")
	if x.rc != wire.RCSuccess {
		return x.rc
	}
	counter := uint16(x.params[len(x.params)-2])<<8 | uint16(x.params[len(x.params)-1])
	scheme := wire.TPMTSigScheme{Scheme: wire.AlgECDAA, HashAlg: wire.AlgSHA256, Count: counter}
	return c.by(wire.CCSign, key, make([]byte, 32), scheme, nullTicket).rc
}

// credential shares a secret with an ECC key, which KDF1_SP800_56A derives.
func (c *client) credential() wire.RC {
	c.Helper()
	key, pub, rc := c.primary(eccArea(wire.CurveNISTP256, wire.ObjDecrypt|wire.ObjRestricted, wire.AlgNull))
	if rc != wire.RCSuccess {
		return rc
	}
	defer c.flush(key)
	name := append([]byte{0x00, 0x0B}, digest(c.hash(wire.AlgSHA256), wire.Marshal(pub))...)
	x := c.do(request{cc: wire.CCMakeCredential, handles: []entity{key}, params: params("credential", name)})
	if x.rc != wire.RCSuccess {
		return x.rc
	}
	x = c.do(request{cc: wire.CCActivateCredential, handles: []entity{key, key}, sessions: []*session{pw(""), pw("")}, params: x.params})
	if x.rc == wire.RCSuccess && !bytes.Equal(x.params, params("credential")) {
		c.Errorf("credential: %x", x.params)
	}
	return x.rc
}

// derived makes an object of a derivation parent, with KDF1_SP800_108.
func (c *client) derived() wire.RC {
	c.Helper()
	parent := area(wire.AlgKeyedHash, wire.ObjDecrypt|wire.ObjRestricted)
	parent.Parameters.KeyedHash.Scheme = wire.TPMTKeyedHashScheme{Scheme: wire.AlgXOR, HashAlg: wire.AlgSHA256, KDF: wire.AlgKDF1SP800108}
	key, _, rc := c.primary(parent)
	if rc != wire.RCSuccess {
		return rc
	}
	defer c.flush(key)
	child := hmacArea()
	child.ObjectAttributes &^= wire.ObjSensitiveDataOrigin
	child.Unique.Derive = wire.TPMSDerive{Label: []byte("label"), Context: []byte("context")}
	x := c.by(wire.CCCreateLoaded, key, params("", ""), wire.Marshal(wire.TPMTTemplate(child)))
	if x.rc == wire.RCSuccess {
		c.flush(entity{handle: x.handle})
	}
	return x.rc
}

// kdf2 encrypts to an ECC key; a TPM without the command for it has KDF2 to be named
// in the scheme of a key.
func (c *client) kdf2() wire.RC {
	c.Helper()
	parms := wire.TPMTPublicParms{Type: wire.AlgKeyedHash}
	parms.Parameters.KeyedHash.Scheme = wire.TPMTKeyedHashScheme{Scheme: wire.AlgXOR, HashAlg: wire.AlgSHA256, KDF: wire.AlgKDF2}
	if rc := c.do(request{cc: wire.CCTestParms, params: params(parms)}).rc; rc != wire.RCSuccess {
		return rc
	}
	key, _, rc := c.primary(eccArea(wire.CurveNISTP256, wire.ObjDecrypt, wire.AlgNull))
	if rc != wire.RCSuccess {
		return rc
	}
	defer c.flush(key)
	scheme := wire.TPMTKDFScheme{Scheme: wire.AlgKDF2, HashAlg: wire.AlgSHA256}
	x := c.do(request{cc: wire.CCECCEncrypt, handles: []entity{key}, params: params("message", scheme)})
	if x.rc == wire.RCCommandCode {
		return wire.RCSuccess
	}
	if x.rc != wire.RCSuccess {
		return x.rc
	}
	x = c.do(request{cc: wire.CCECCDecrypt, handles: []entity{key}, sessions: []*session{pw("")}, params: append(x.params, params(scheme)...)})
	if x.rc == wire.RCSuccess && !bytes.Equal(x.params, params("message")) {
		c.Errorf("ECC encryption: %q", x.params)
	}
	return x.rc
}
