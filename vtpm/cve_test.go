package vtpm_test

import (
	"bytes"
	"crypto"
	stdaes "crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/internal/keygen"
	"github.com/bootseal/bootseal/vtpm/server"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// What went wrong in TPM engines written in C, as tests: not only is there no
// memory to be corrupted, the response code is the right one, too.

// TestCVE_2023_1017_1018 sends less of an encrypted parameter than its size says,
// or not even a size: decryption read, and wrote, two bytes behind the command.
func TestCVE_2023_1017_1018(t *testing.T) {
	b := openBench(t, ways[0])
	session := must(tpm2.StartAuthSession{
		TPMKey: tpm2.TPMRHNull, Bind: tpm2.TPMRHNull, NonceCaller: tpm2.TPM2BNonce{Buffer: make([]byte, 16)}, SessionType: tpm2.TPMSEHMAC,
		Symmetric: tpm2.TPMTSymDef{
			Algorithm: tpm2.TPMAlgAES,
			KeyBits:   tpm2.NewTPMUSymKeyBits(tpm2.TPMAlgAES, tpm2.TPMKeyBits(128)), Mode: tpm2.NewTPMUSymMode(tpm2.TPMAlgAES, tpm2.TPMAlgCFB),
		},
		AuthHash: tpm2.TPMAlgSHA256,
	}.Execute(b.TPM))(t).SessionHandle
	// Neither salted nor bound, the session has no key, and needs no HMAC.
	decrypts := tpm2.TPMSAuthCommand{Handle: session, Attributes: tpm2.TPMASession{ContinueSession: true, Decrypt: true}}
	owner := tpm2.TPMSAuthCommand{Handle: tpm2.TPMRSPW, Attributes: tpm2.TPMASession{ContinueSession: true}}
	for _, x := range []struct {
		code    tpm2.TPMCC
		handles []tpm2.TPMHandle
		auths   []tpm2.TPMSAuthCommand
	}{
		{tpm2.TPMCCStirRandom, nil, []tpm2.TPMSAuthCommand{decrypts}},
		{tpm2.TPMCCCreatePrimary, []tpm2.TPMHandle{tpm2.TPMRHOwner}, []tpm2.TPMSAuthCommand{owner, decrypts}},
		{tpm2.TPMCCLoadExternal, nil, []tpm2.TPMSAuthCommand{decrypts}},
	} {
		n := tpm2.TPMRC(len(x.auths)) << 8
		longest := 4096 - len(rawCommand(x.code, x.handles, x.auths, nil))
		for _, p := range []struct {
			params []byte
			want   tpm2.TPMRC
		}{
			{nil, tpm2.TPMRCInsufficient},
			{[]byte{0}, tpm2.TPMRCInsufficient},
			{[]byte{0xFF}, tpm2.TPMRCInsufficient},
			{[]byte{0, 1}, tpm2.TPMRCSize},
			{[]byte{0, 2, 0}, tpm2.TPMRCSize},
			{[]byte{0xFF, 0xFF, 0, 0}, tpm2.TPMRCSize},
			{sizedTo(longest, longest-1), tpm2.TPMRCSize},
			{sizedTo(longest, longest), tpm2.TPMRCSize},
		} {
			response := b.Execute(0, rawCommand(x.code, x.handles, x.auths, p.params))
			if rc, want := tpm2.TPMRC(binary.BigEndian.Uint32(response[6:])), p.want|0x800|n; rc != want {
				t.Errorf("%#x with %d bytes of parameters: %v, want %v", uint32(x.code), len(p.params), rc, want)
			}
		}
	}
}

// sizedTo returns n bytes that begin with a size.
func sizedTo(n, size int) []byte {
	p := make([]byte, n)
	binary.BigEndian.PutUint16(p, uint16(size))
	return p
}

// rawCommand returns a command with its authorization area as it is given.
func rawCommand(code tpm2.TPMCC, handles []tpm2.TPMHandle, auths []tpm2.TPMSAuthCommand, params []byte) []byte {
	var body, area []byte
	for _, h := range handles {
		body = binary.BigEndian.AppendUint32(body, uint32(h))
	}
	for _, a := range auths {
		area = append(area, tpm2.Marshal(a)...)
	}
	body = binary.BigEndian.AppendUint32(body, uint32(len(area)))
	body = append(append(body, area...), params...)
	return append(tpm2.Marshal(tpm2.TPMCmdHeader{Tag: tpm2.TPMSTSessions, Length: uint32(10 + len(body)), CommandCode: code}), body...)
}

// TestCVE_2025_2884_49133 signs and verifies with an HMAC key in schemes of RSA
// and ECC keys: the HMAC was computed over memory behind the key.
func TestCVE_2025_2884_49133(t *testing.T) {
	b := openBench(t, ways[0])
	template := hmacTemplate(tpm2.TPMAlgSHA256)
	template.ObjectAttributes.Decrypt = true // or else it would need a scheme
	template.Parameters = tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash, &tpm2.TPMSKeyedHashParms{Scheme: tpm2.TPMTKeyedHashScheme{Scheme: tpm2.TPMAlgNull}})
	free := b.primary(tpm2.TPMRHOwner, template, "")
	fixed := b.primary(tpm2.TPMRHOwner, hmacTemplate(tpm2.TPMAlgSHA256), "")
	index := b.writeNV(b.defineNV(0x01800001, tpm2.TPMNTOrdinary, 8, ""), []byte("contents"))
	digest := tpm2.TPM2BDigest{Buffer: make([]byte, 32)}
	for _, k := range []key{free, fixed} {
		signer := k.with(tpm2.PasswordAuth(nil))
		for _, alg := range []tpm2.TPMAlgID{tpm2.TPMAlgRSASSA, tpm2.TPMAlgRSAPSS, tpm2.TPMAlgECDSA} {
			scheme := sigScheme(alg, tpm2.TPMAlgSHA256)
			refused := func(parameter tpm2.TPMRC, err error) {
				t.Helper()
				wantRC(t, err, tpm2.TPMRCScheme|0x40|parameter<<8)
			}
			_, err := tpm2.Sign{KeyHandle: signer, Digest: digest, InScheme: scheme, Validation: noTicket}.Execute(b.TPM)
			refused(2, err)
			_, err = tpm2.Quote{SignHandle: signer, InScheme: scheme}.Execute(b.TPM)
			refused(2, err)
			_, err = tpm2.Certify{ObjectHandle: k.with(tpm2.PasswordAuth(nil)), SignHandle: signer, InScheme: scheme}.Execute(b.TPM)
			refused(2, err)
			_, err = tpm2.GetTime{PrivacyAdminHandle: tpm2.TPMRHEndorsement, SignHandle: signer, InScheme: scheme}.Execute(b.TPM)
			refused(2, err)
			_, err = tpm2.NVCertify{SignHandle: signer, AuthHandle: b.nvAuth(index, ""), NVIndex: index, InScheme: scheme, Size: 8}.Execute(b.TPM)
			refused(2, err)
			_, err = tpm2.VerifySignature{KeyHandle: k.named(), Digest: digest, Signature: nobodysSignature(alg)}.Execute(b.TPM)
			refused(2, err)
		}
	}
}

// nobodysSignature returns a signature of a scheme that is nobody's.
func nobodysSignature(alg tpm2.TPMAlgID) tpm2.TPMTSignature {
	if alg == tpm2.TPMAlgECDSA {
		return tpm2.TPMTSignature{SigAlg: alg, Signature: tpm2.NewTPMUSignature(alg, &tpm2.TPMSSignatureECC{
			Hash: tpm2.TPMAlgSHA256, SignatureR: tpm2.TPM2BECCParameter{Buffer: []byte{1}}, SignatureS: tpm2.TPM2BECCParameter{Buffer: []byte{1}},
		})}
	}
	return tpm2.TPMTSignature{SigAlg: alg, Signature: tpm2.NewTPMUSignature(alg, &tpm2.TPMSSignatureRSA{
		Hash: tpm2.TPMAlgSHA256, Sig: tpm2.TPM2BPublicKeyRSA{Buffer: make([]byte, 256)},
	})}
}

// TestSavedStateOverread loads a state that was cut short or changed: sizes in it
// were believed. A state is whole, or it is refused.
func TestSavedStateOverread(t *testing.T) {
	t.Parallel()
	b := openBench(t, ways[0])
	b.writeNV(b.defineNV(0x01800001, tpm2.TPMNTOrdinary, 8, "auth"), []byte("contents"))
	must(tpm2.Shutdown{ShutdownType: tpm2.TPMSUState}.Execute(b.TPM))(t)
	with := func(name string, record []byte) (*vtpm.TPM, error) {
		state := maps.Clone(b.store)
		state[name] = record
		return vtpm.New(vtpm.Options{Store: state, Entropy: vtpmtest.Entropy()})
	}
	for name, record := range b.store {
		for n := range record {
			if _, err := with(name, record[:n]); err == nil {
				t.Errorf("record %s is accepted with %d of its %d bytes", name, n, len(record))
			}
		}
		if _, err := with(name, append(bytes.Clone(record), 0)); err == nil {
			t.Errorf("record %s is accepted with a byte too many", name)
		}
		for i := range record {
			for _, flip := range []byte{0x01, 0x80, 0xFF} {
				changed := bytes.Clone(record)
				changed[i] ^= flip
				if p, err := with(name, changed); err == nil {
					checkStarts(t, p, fmt.Sprintf("record %s, byte %d", name, i))
				}
			}
		}
	}
}

// TestStateBlobOverread does the same with the blobs in which a state moves, with a
// checksum that is right: nothing but the contents can refuse them.
func TestStateBlobOverread(t *testing.T) {
	t.Parallel()
	b := openBench(t, ways[0])
	b.load(sealedTemplate(nil), "auth", "data")
	must(tpm2.StartAuthSession{
		TPMKey: tpm2.TPMRHNull, Bind: tpm2.TPMRHNull, NonceCaller: tpm2.TPM2BNonce{Buffer: make([]byte, 16)},
		SessionType: tpm2.TPMSEPolicy, Symmetric: tpm2.TPMTSymDef{Algorithm: tpm2.TPMAlgNull}, AuthHash: tpm2.TPMAlgSHA256,
	}.Execute(b.TPM))(t)
	for _, kind := range []vtpm.StateKind{vtpm.PermanentState, vtpm.VolatileState} {
		blob := must(b.SaveState(kind))(t)
		body := blob[:len(blob)-32]
		restore := func(body []byte) (*vtpm.TPM, error) {
			p := must(vtpm.New(vtpm.Options{Store: maps.Clone(b.store), Entropy: vtpmtest.Entropy()}))(t)
			return p, p.RestoreState(kind, append(bytes.Clone(body), digest(crypto.SHA256, body)...))
		}
		if _, err := restore(body); err != nil {
			t.Fatalf("%v state: %v", kind, err)
		}
		if _, err := restore(append(bytes.Clone(body), 0)); err == nil {
			t.Errorf("%v state: accepted with a byte too many", kind)
		}
		for n := 0; n < len(body); n += 1 + n/64 {
			if _, err := restore(body[:n]); err == nil || strings.Contains(err.Error(), "panic") {
				t.Errorf("%v state, %d of %d bytes: %v", kind, n, len(body), err)
			}
		}
		for i := range body {
			changed := bytes.Clone(body)
			changed[i] ^= 0xFF
			p, err := restore(changed)
			if err == nil {
				checkStarts(t, p, fmt.Sprintf("%v state, byte %d", kind, i))
			} else if strings.Contains(err.Error(), "panic") {
				t.Fatalf("%v state, byte %d: %v", kind, i, err)
			}
		}
	}
}

// checkStarts starts a TPM with what a Shutdown(STATE) saved, or without. It may
// find that it cannot, but not by a panic.
func checkStarts(t *testing.T, p *vtpm.TPM, where string) {
	for _, su := range []byte{1, 0} {
		p.Execute(0, []byte{0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, su})
	}
	if err := p.Failure(); err != nil && strings.Contains(err.Error(), "panic") {
		t.Fatalf("%s: %v", where, err)
	}
}

// TestCompareTemplateHashOverread authorizes the creation of an object by
// PolicyTemplate with parameters that end before or within the template: the hash
// was computed over what came behind the command.
func TestCompareTemplateHashOverread(t *testing.T) {
	b := openBench(t, ways[0])
	template := tpm2.Marshal(tpm2.ECCSRKTemplate)
	hash := digest(crypto.SHA256, template)
	policy := digest(crypto.SHA256, make([]byte, 32), []byte{0, 0, 1, 0x90}, hash)
	must(bare{
		code:    tpm2.TPMCCSetPrimaryPolicy,
		handles: []tpm2.AuthHandle{b.by(tpm2.TPMRHOwner, "")},
		params:  append(tpm2.Marshal(tpm2.TPM2BDigest{Buffer: policy}), 0, 0x0B),
	}.Execute(b.TPM))(t)
	create := func(params []byte) error {
		session := tpm2.Policy(tpm2.TPMAlgSHA256, 16, func(tpm transport.TPM, h tpm2.TPMISHPolicy, _ tpm2.TPM2BNonce) error {
			_, err := bare{code: tpm2.TPMCCPolicyTemplate, handles: []tpm2.AuthHandle{{Handle: h}}, params: tpm2.Marshal(tpm2.TPM2BDigest{Buffer: hash})}.Execute(tpm)
			return err
		})
		_, err := bare{code: tpm2.TPMCCCreatePrimary, handles: []tpm2.AuthHandle{{Handle: tpm2.TPMRHOwner, Auth: session}}, params: params}.Execute(b.TPM)
		return err
	}
	whole := append([]byte{0, 4, 0, 0, 0, 0}, tpm2.Marshal(tpm2.TPM2BDigest{Buffer: template})...)
	for n := range whole {
		wantRC(t, create(whole[:n]), tpm2.TPMRCPolicyFail|0x800|1<<8)
	}
	for _, params := range []string{"\xFF\xFF", "\xFF\xFF\x00\x00", "\x00\x04\x00\x00\x00\x00\xFF\xFF", "\x00\x00\xFF\xFF\x00"} {
		wantRC(t, create([]byte(params)), tpm2.TPMRCPolicyFail|0x800|1<<8)
	}
	// The template is all there and right: the rest of the parameters is missing.
	wantRC(t, create(whole), tpm2.TPMRCInsufficient|0x40|3<<8)
}

// TestCertifyX509StackWrite certifies with partial certificates of every size up to
// the largest, cut short, and with lengths that point anywhere: the certificate
// was put together in a buffer for which no length was checked.
func TestCertifyX509StackWrite(t *testing.T) {
	b := openBench(t, ways[0])
	signer := b.primary(tpm2.TPMRHOwner, eccTemplate(signing, tpm2.TPMECCNistP256, tpm2.TPMAlgSHA256, 0, tpm2.TPMAlgSHA256), "")
	certify := func(partial []byte) error {
		_, err := bare{
			code:    tpm2.TPMCCCertifyX509,
			handles: []tpm2.AuthHandle{signer.with(tpm2.PasswordAuth(nil)), signer.with(tpm2.PasswordAuth(nil))},
			params:  append([]byte{0, 0, 0, 0x10}, tpm2.Marshal(tpm2.TPM2BMaxBuffer{Buffer: partial})...),
		}.Execute(b.TPM)
		return err
	}
	const largest = 1024 // MAX_DIGEST_BUFFER
	for n := 1; ; n++ {
		partial := partialCertificate(t, n)
		if len(partial) > largest {
			wantRC(t, certify(partial), tpm2.TPMRCSize|0x40|3<<8)
			break
		}
		if err := certify(partial); err != nil {
			t.Fatalf("%d bytes: %v", len(partial), err)
		}
	}
	partial := partialCertificate(t, 1)
	malformed := func(what string, changed []byte) {
		switch err := certify(changed); err {
		case tpm2.TPMRCSize | 0x40 | 3<<8, tpm2.TPMRCValue | 0x40 | 3<<8:
		default:
			t.Errorf("%s: %v", what, err)
		}
	}
	for n := range partial {
		malformed(fmt.Sprintf("%d of %d bytes", n, len(partial)), partial[:n])
	}
	for _, length := range []string{"\x00", "\x7F", "\x80", "\x81\xFF", "\x82\xFF\xFF", "\x84\xFF\xFF\xFF\xFF", "\x84\x7F\xFF\xFF\xFF", "\x88\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "\xFF"} {
		malformed(fmt.Sprintf("length %x", length), slices.Concat(partial[:1], []byte(length), partial[2:]))
		malformed(fmt.Sprintf("issuer's length %x", length), slices.Concat(partial[:3], []byte(length), partial[4:]))
	}
}

// partialCertificate returns a partial certificate for a signing key, whose subject
// has a name of n bytes.
func partialCertificate(t testing.TB, n int) []byte {
	marshal := func(v any, params string) asn1.RawValue {
		return asn1.RawValue{FullBytes: must(asn1.MarshalWithParams(v, params))(t)}
	}
	usage := must(asn1.Marshal(asn1.BitString{Bytes: []byte{0x80}, BitLength: 1}))(t)
	return must(asn1.Marshal([]asn1.RawValue{
		marshal(pkix.Name{CommonName: "a"}.ToRDNSequence(), ""),
		marshal([]time.Time{time.Unix(0, 0).UTC(), time.Unix(1e9, 0).UTC()}, ""),
		marshal(pkix.Name{CommonName: strings.Repeat("a", n)}.ToRDNSequence(), ""),
		marshal([]pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Value: usage}}, "explicit,tag:3"),
	}))(t)
}

// TestImportUnderflow imports duplicates that are smaller than the wrappers that
// they should have: the sizes of the wrappers were subtracted from the duplicate's.
func TestImportUnderflow(t *testing.T) {
	b := openBench(t, ways[0])
	public := sealedTemplate(nil)
	public.ObjectAttributes = tpm2.TPMAObject{UserWithAuth: true}
	name := must(tpm2.ObjectName(&public))(t).Buffer
	inner := bytes.Repeat([]byte{7}, 16)
	parent := b.public[eccParent]
	seed, secret, err := must(tpm2.ImportEncapsulationKey(&parent))(t).Encapsulate(rand.Reader, "DUPLICATE")
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 32)
	for _, x := range []struct {
		reason string
		inside []byte
		want   tpm2.TPMRC
	}{
		{"nothing", nil, tpm2.TPMRCInsufficient},
		{"half a size", []byte{0}, tpm2.TPMRCInsufficient},
		{"an empty digest", []byte{0, 0}, tpm2.TPMRCIntegrity},
		{"a digest larger than any", []byte{0xFF, 0xFF}, tpm2.TPMRCSize},
		{"a digest that is cut short", append([]byte{0, 32}, noise[:31]...), tpm2.TPMRCInsufficient},
		{"a digest of something else", append([]byte{0, 32}, noise...), tpm2.TPMRCIntegrity},
		{"a digest of nothing, and nothing", integrity(name, nil), tpm2.TPMRCInsufficient},
		{"half the size of a sensitive area", integrity(name, []byte{0}), tpm2.TPMRCInsufficient},
		{"an empty sensitive area", integrity(name, []byte{0, 0}), tpm2.TPMRCInsufficient},
		{"a sensitive area larger than the duplicate", integrity(name, []byte{0xFF, 0xFF, 0}), tpm2.TPMRCSize},
		{"a sensitive area smaller than the duplicate", integrity(name, []byte{0, 0, 0}), tpm2.TPMRCSize},
	} {
		t.Run(x.reason, func(t *testing.T) {
			cmd := tpm2.Import{
				ParentHandle: b.parent(), ObjectPublic: tpm2.New2B(public), EncryptionKey: tpm2.TPM2BData{Buffer: inner},
				Duplicate: tpm2.TPM2BPrivate{Buffer: cfb(t, inner, x.inside)}, Symmetric: tpm2.TPMTSymDef(aesCFB(128)),
			}
			_, err := cmd.Execute(b.TPM)
			wantRC(t, err, x.want|0x40|3<<8)
			cmd.Duplicate.Buffer = outer(t, seed, name, cmd.Duplicate.Buffer)
			cmd.InSymSeed.Buffer = secret
			_, err = cmd.Execute(b.TPM)
			wantRC(t, err, x.want|0x40|3<<8)
		})
	}
	for n := range outer(t, seed, name, nil) {
		_, err := tpm2.Import{
			ParentHandle: b.parent(), ObjectPublic: tpm2.New2B(public), Duplicate: tpm2.TPM2BPrivate{Buffer: outer(t, seed, name, nil)[:n]},
			InSymSeed: tpm2.TPM2BEncryptedSecret{Buffer: secret}, Symmetric: tpm2.TPMTSymDef(aesCFB(0)),
		}.Execute(b.TPM)
		wantRC(t, err, tpm2.TPMRCInsufficient|0x40|3<<8)
	}
}

// integrity puts the integrity value of the inner wrapper before an area.
func integrity(name, area []byte) []byte {
	d := digest(crypto.SHA256, area, name)
	return append(append([]byte{0, 32}, d...), area...)
}

// cfb encrypts with AES in CFB mode and an IV of zeros.
func cfb(t testing.TB, key, data []byte) []byte {
	out := make([]byte, len(data))
	//lint:ignore SA1019 the specification's mode
	cipher.NewCFBEncrypter(must(stdaes.NewCipher(key))(t), make([]byte, 16)).XORKeyStream(out, data)
	return out
}

// outer puts the outer wrapper of a duplicate around data.
func outer(t testing.TB, seed, name, data []byte) []byte {
	body := cfb(t, tpm2.KDFa(crypto.SHA256, seed, "STORAGE", name, nil, 128), data)
	m := hmac.New(crypto.SHA256.New, tpm2.KDFa(crypto.SHA256, seed, "INTEGRITY", nil, nil, 256))
	m.Write(body)
	m.Write(name)
	return append(append([]byte{0, 32}, m.Sum(nil)...), body...)
}

// TestCVE_2021_3446_2026_21444 encrypts and decrypts in two commands, the second
// with the IV that the first returned: it was not the one to go on with.
func TestCVE_2021_3446_2026_21444(t *testing.T) {
	b := openBench(t, ways[0])
	template := tpm2.TPMTPublic{
		Type: tpm2.TPMAlgSymCipher, NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, UserWithAuth: true, NoDA: true, Decrypt: true, SignEncrypt: true},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgSymCipher, &tpm2.TPMSSymCipherParms{Sym: tpm2.TPMTSymDefObject{
			Algorithm: tpm2.TPMAlgAES, KeyBits: tpm2.NewTPMUSymKeyBits(tpm2.TPMAlgAES, tpm2.TPMKeyBits(256)),
			Mode: tpm2.NewTPMUSymMode(tpm2.TPMAlgAES, tpm2.TPMAlgNull),
		}}),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgSymCipher, &tpm2.TPM2BDigest{}),
	}
	k := b.load(template, "", "0123456789abcdef0123456789abcdef")
	block := must(stdaes.NewCipher([]byte("0123456789abcdef0123456789abcdef")))(t)
	iv := []byte("an IV of a block")
	plain := bytes.Repeat([]byte("data to encrypt."), 8)
	for mode, want := range map[tpm2.TPMAlgID][]byte{
		//lint:ignore SA1019 the specification's mode
		tpm2.TPMAlgCFB: stream(cipher.NewCFBEncrypter(block, iv), plain),
		tpm2.TPMAlgCTR: stream(cipher.NewCTR(block, iv), plain),
		//lint:ignore SA1019 the specification's mode
		tpm2.TPMAlgOFB: stream(cipher.NewOFB(block, iv), plain),
		tpm2.TPMAlgCBC: blocks(cipher.NewCBCEncrypter(block, iv), plain),
	} {
		for at := 16; at < len(plain); at += 16 {
			for _, decrypt := range []bool{false, true} {
				t.Run(fmt.Sprintf("%v/%d/%v", mode, at, decrypt), func(t *testing.T) {
					in, expect := plain, want
					if decrypt {
						in, expect = want, plain
					}
					cmd := tpm2.EncryptDecrypt2{
						KeyHandle: k.with(tpm2.PasswordAuth(nil)), Mode: mode, Decrypt: decrypt,
						Message: tpm2.TPM2BMaxBuffer{Buffer: in[:at]}, IV: tpm2.TPM2BIV{Buffer: iv},
					}
					first := must(cmd.Execute(b.TPM))(t)
					cmd.Message.Buffer, cmd.IV = in[at:], first.IV
					second := must(cmd.Execute(b.TPM))(t)
					if have := append(first.OutData.Buffer, second.OutData.Buffer...); !bytes.Equal(have, expect) {
						t.Errorf("%x, want %x", have, expect)
					}
				})
			}
		}
	}
}

func stream(s cipher.Stream, in []byte) []byte {
	out := make([]byte, len(in))
	s.XORKeyStream(out, in)
	return out
}

func blocks(m cipher.BlockMode, in []byte) []byte {
	out := make([]byte, len(in))
	m.CryptBlocks(out, in)
	return out
}

// TestCVE_2021_3505 looks at the primes of RSA keys: 64 bits of each were always
// the same. Here every bit but the first and the last of a prime takes both values,
// and the modulus has all its bits.
func TestCVE_2021_3505(t *testing.T) {
	t.Parallel()
	const bits = 2048
	ones, zeros := new(big.Int), new(big.Int)
	all := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), bits/2), big.NewInt(1))
	for i := range byte(16) {
		prime, modulus, err := keygen.RSA(keygen.NewSeeded([]byte{i}, "TestCVE_2021_3505", nil, nil), bits, 0)
		if err != nil {
			t.Fatal(err)
		}
		n, p := new(big.Int).SetBytes(modulus), new(big.Int).SetBytes(prime)
		q, rest := new(big.Int).DivMod(n, p, new(big.Int))
		if rest.Sign() != 0 || n.BitLen() != bits || !p.ProbablyPrime(0) || !q.ProbablyPrime(0) {
			t.Fatalf("n %x is not the product of p %x and another prime, of %d bits", n, p, bits)
		}
		for _, x := range []*big.Int{p, q} {
			ones.Or(ones, x)
			zeros.Or(zeros, new(big.Int).Xor(x, all))
		}
	}
	for i := 1; i < bits/2-1; i++ {
		if ones.Bit(i) == 0 || zeros.Bit(i) == 0 {
			t.Errorf("bit %d of every prime is the same", i)
		}
	}
}

// TestCVE_2026_75900 sends the first eight bytes of a SET_STATEBLOB request, the rest
// of which was read behind its end.
func TestCVE_2026_75900(t *testing.T) {
	t.Parallel()
	control, client := net.Pipe()
	open := func() (*vtpm.TPM, io.Closer, error) {
		p, err := vtpm.New(vtpm.Options{Entropy: vtpmtest.Entropy()})
		return p, nil, err
	}
	s := must(server.NewSwtpm(server.SwtpmOptions{Open: open, ControlConn: control, TerminateControl: true}))(t)
	done := make(chan error, 1)
	go func() { done <- s.Serve(t.Context()) }()
	ask := func(request []byte) (answer [4]byte) {
		t.Helper()
		if _, err := client.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(client, answer[:]); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	const setStateBlob, badParameter = 0x0D, 3
	if result := ask([]byte{0, 0, 0, setStateBlob, 0, 0, 0, 0}); result != [4]byte{3: badParameter} {
		t.Errorf("result %x", result)
	}
	// The connection goes on: INIT.
	if result := ask([]byte{0, 0, 0, 2, 0, 0, 0, 0}); result != [4]byte{} {
		t.Errorf("INIT after that: result %x", result)
	}
	client.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestCVE_2020_28407 puts symbolic links where the files of a state directory will
// be: what they point to was overwritten.
func TestCVE_2020_28407(t *testing.T) {
	for _, name := range []string{"state", "lock"} {
		for _, before := range [][]byte{nil, []byte("somebody's file")} {
			t.Run(fmt.Sprintf("%s to a file with %q", name, before), func(t *testing.T) {
				dir, victim := t.TempDir(), filepath.Join(t.TempDir(), "victim")
				if before != nil {
					if err := os.WriteFile(victim, before, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.Symlink(victim, filepath.Join(dir, name)); err != nil {
					t.Skip("no symbolic links:", err)
				}
				if d, err := store.OpenDirectory(dir); err == nil {
					err = d.Commit(map[string][]byte{"record": []byte("value")})
					if err := errors.Join(err, d.Close()); err != nil {
						t.Error(err)
					}
				}
				after, err := os.ReadFile(victim)
				if !bytes.Equal(after, before) || before == nil && !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the file holds %q", after)
				}
			})
		}
	}
}
