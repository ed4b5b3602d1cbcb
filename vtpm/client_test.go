package vtpm_test

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/binary"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/bootseal/bootseal/vtpm/internal/command"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// A client of the TPM that computes sessions from Part 1 with nothing of the
// engine, and can do so wrongly on purpose, which go-tpm's client cannot.

// entity is what a handle names, as far as a client has to know it.
type entity struct {
	handle wire.Handle
	name   []byte // nil: the handle is the Name
	auth   []byte
}

// with returns the entity with another authValue.
func (e entity) with(auth string) entity {
	e.auth = []byte(auth)
	return e
}

func (e entity) nameOrHandle() []byte {
	if e.name == nil {
		return wire.Marshal(e.handle)
	}
	return e.name
}

var (
	owner       = entity{handle: wire.HandleOwner}
	endorsement = entity{handle: wire.HandleEndorsement}
	platform    = entity{handle: wire.HandlePlatform}
	lockout     = entity{handle: wire.HandleLockout}
)

// session is one session of a command: a password (handle TPM_RS_PW), or an HMAC
// or policy session of which it keeps track.
type session struct {
	handle   wire.Handle
	alg      wire.Alg
	sym      wire.TPMTSymDef
	nonceTPM []byte
	key      []byte // sessionKey
	attrs    wire.TPMASession

	auth      []byte // the authValue that is part of the HMAC key, or the password
	paramAuth []byte // the authValue that is part of the key that encrypts parameters

	nonceCaller []byte // of the last command
	password    bool   // a policy session with TPM2_PolicyPassword
	bare        bool   // send no nonce and no HMAC
	tamper      bool   // send an HMAC with one bit wrong
	alone       bool   // leave the nonces of other sessions out
	answered    wire.TPMASession
}

// pw is a password authorization.
func pw(password string) *session {
	return &session{handle: wire.HandlePassword, auth: []byte(password), attrs: wire.SessContinue}
}

// with returns the session itself, with these attributes from now on.
func (s *session) with(a wire.TPMASession) *session {
	s.attrs = a
	return s
}

// authorizes returns the session itself, for an entity with this authValue.
func (s *session) authorizes(auth string) *session {
	s.auth, s.paramAuth = []byte(auth), []byte(auth)
	return s
}

// request is a command to be sent.
type request struct {
	cc       wire.CC
	handles  []entity
	sessions []*session
	params   []byte
	locality uint8
}

// response is what came back.
type response struct {
	rc     wire.RC
	handle wire.Handle
	params []byte
}

// client is a TPM with the client's side of its sessions.
type client struct {
	testing.TB
	*vtpmtest.TPM
	nonces byte
}

func open(t testing.TB) *client {
	t.Helper()
	return &client{TB: t, TPM: vtpmtest.Open(t)}
}

func (c *client) hash(a wire.Alg) crypto.Hash {
	h, err := tpm2.TPMIAlgHash(a).Hash()
	if err != nil {
		c.Fatal(err)
	}
	return h
}

func digest(h crypto.Hash, parts ...[]byte) []byte {
	d := h.New()
	for _, p := range parts {
		d.Write(p)
	}
	return d.Sum(nil)
}

// do sends the request and checks what the sessions of the response say.
func (c *client) do(r request) response {
	c.Helper()
	return c.receive(r, c.Execute(r.locality, c.encode(r)))
}

// ok is do for a command that must succeed.
func (c *client) ok(r request) response {
	c.Helper()
	x := c.do(r)
	if x.rc != wire.RCSuccess {
		c.Fatalf("%v: %v", r.cc, x.rc)
	}
	return x
}

// fails is do for a command that must end with the response code.
func (c *client) fails(r request, want wire.RC) {
	c.Helper()
	if x := c.do(r); x.rc != want {
		c.Errorf("%v: %v, want %v", r.cc, x.rc, want)
	}
}

// encode computes the command, sessions and parameter encryption included.
func (c *client) encode(r request) []byte {
	var w, area wire.Writer
	for _, h := range r.handles {
		h.handle.Write(&w)
	}
	params := bytes.Clone(r.params)
	for _, s := range r.sessions {
		if s.nonceTPM != nil && !s.bare {
			c.nonces++
			s.nonceCaller = bytes.Repeat([]byte{c.nonces}, 16)
		}
	}
	for _, s := range r.sessions {
		if s.nonceTPM != nil && s.attrs.Has(wire.SessDecrypt) {
			c.crypt(s, params, s.nonceCaller, s.nonceTPM, false)
		}
	}
	for i, s := range r.sessions {
		s.handle.Write(&area)
		area.Sized(s.nonceCaller)
		s.attrs.Write(&area)
		area.Sized(c.commandAuth(r, i, params))
	}
	tag := wire.STNoSessions
	if r.sessions != nil {
		tag = wire.STSessions
		w.U32(uint32(area.Len()))
		w.Bytes(area.Data())
	}
	w.Bytes(params)
	return header(tag, r.cc, w.Data())
}

func header(tag wire.ST, cc wire.CC, rest []byte) []byte {
	var w wire.Writer
	tag.Write(&w)
	w.U32(uint32(10 + len(rest)))
	cc.Write(&w)
	w.Bytes(rest)
	return w.Data()
}

// commandAuth is the password or the HMAC of the i-th session.
func (c *client) commandAuth(r request, i int, params []byte) []byte {
	s := r.sessions[i]
	switch {
	case s.bare:
		return nil
	case s.nonceTPM == nil, s.password:
		return s.auth
	}
	h := c.hash(s.alg)
	parts := [][]byte{wire.Marshal(r.cc)}
	for _, e := range r.handles {
		parts = append(parts, e.nameOrHandle())
	}
	cpHash := digest(h, append(parts, params)...)
	m := hmac.New(h.New, append(bytes.Clone(s.key), s.auth...))
	m.Write(cpHash)
	m.Write(s.nonceCaller)
	m.Write(s.nonceTPM)
	if i == 0 && !s.alone && command.Lookup(r.cc).Role(0) != command.RoleNone {
		for _, other := range c.cryptSessions(r) {
			if other != s {
				m.Write(other.nonceTPM)
			}
		}
	}
	m.Write([]byte{byte(s.attrs)})
	sum := m.Sum(nil)
	if s.tamper {
		sum[len(sum)-1] ^= 1
	}
	return sum
}

// cryptSessions returns the session that decrypts and the one that encrypts, once
// where they are the same.
func (c *client) cryptSessions(r request) []*session {
	var all []*session
	for _, a := range []wire.TPMASession{wire.SessDecrypt, wire.SessEncrypt} {
		for _, s := range r.sessions {
			if s.attrs.Has(a) && (len(all) == 0 || all[0] != s) {
				all = append(all, s)
			}
		}
	}
	return all
}

// receive takes the response apart, checks its HMACs and decrypts it.
func (c *client) receive(r request, buf []byte) response {
	c.Helper()
	rd := wire.NewReader(buf, wire.DefaultLimits())
	tag, size := wire.ST(rd.U16()), rd.U32()
	x := response{rc: wire.RC(rd.U32())}
	if int(size) != len(buf) {
		c.Fatalf("response of %d bytes says that it has %d", len(buf), size)
	}
	if x.rc != wire.RCSuccess {
		return x
	}
	if command.Lookup(r.cc).ResponseHandle() {
		x.handle = wire.Handle(rd.U32())
	}
	if tag != wire.STSessions {
		x.params = rd.Rest()
		return x
	}
	x.params = rd.Bytes(int(rd.U32()))
	for i, s := range r.sessions {
		nonce, attrs, auth := rd.Sized(64), wire.TPMASession(rd.U8()), rd.Sized(64)
		s.answered = attrs
		if s.nonceTPM == nil {
			if len(nonce) != 0 || len(auth) != 0 || attrs != wire.SessContinue {
				c.Fatalf("session %d, a password: nonce %x, attributes %#x, auth %x", i+1, nonce, attrs, auth)
			}
			continue
		}
		if len(nonce) != len(s.nonceTPM) || bytes.Equal(nonce, s.nonceTPM) {
			c.Fatalf("session %d: nonceTPM %x follows %x", i+1, nonce, s.nonceTPM)
		}
		s.nonceTPM = nonce
		if want := c.responseAuth(r.cc, s, x.params, attrs); !bytes.Equal(auth, want) {
			c.Fatalf("session %d: HMAC %x, want %x", i+1, auth, want)
		}
	}
	if rd.Err() != nil || rd.Len() != 0 {
		c.Fatalf("response's sessions: %v, %d bytes left", rd.Err(), rd.Len())
	}
	x.params = bytes.Clone(x.params)
	for _, s := range r.sessions {
		if s.attrs.Has(wire.SessEncrypt) {
			c.crypt(s, x.params, s.nonceTPM, s.nonceCaller, true)
		}
	}
	return x
}

func (c *client) responseAuth(cc wire.CC, s *session, params []byte, attrs wire.TPMASession) []byte {
	if s.password || s.bare {
		return nil
	}
	h := c.hash(s.alg)
	m := hmac.New(h.New, append(bytes.Clone(s.key), s.auth...))
	m.Write(digest(h, make([]byte, 4), wire.Marshal(cc), params))
	m.Write(s.nonceTPM)
	m.Write(s.nonceCaller)
	m.Write([]byte{byte(attrs)})
	return m.Sum(nil)
}

// crypt encrypts or decrypts the first parameter in place.
func (c *client) crypt(s *session, params, newer, older []byte, decrypt bool) {
	data := params[2 : 2+binary.BigEndian.Uint16(params)]
	key := append(bytes.Clone(s.key), s.paramAuth...)
	if s.sym.Algorithm == wire.AlgXOR {
		mask := tpm2.KDFa(c.hash(s.alg), key, "XOR", newer, older, 8*len(data))
		for i := range data {
			data[i] ^= mask[i]
		}
		return
	}
	n, blockSize, newCipher := int(s.sym.KeyBits)/8, aes.BlockSize, aes.NewCipher
	if s.sym.Algorithm == wire.AlgTDES {
		blockSize, newCipher = des.BlockSize, des.NewTripleDESCipher
	}
	k := tpm2.KDFa(c.hash(s.alg), key, "CFB", newer, older, 8*(n+blockSize))
	block, err := newCipher(k[:n])
	if err != nil {
		c.Fatal(err)
	}
	//lint:ignore SA1019 the specification prescribes the mode
	stream := cipher.NewCFBEncrypter(block, k[n:])
	if decrypt {
		//lint:ignore SA1019 the specification prescribes the mode
		stream = cipher.NewCFBDecrypter(block, k[n:])
	}
	stream.XORKeyStream(data, data)
}

// start starts a session, bound to an entity where one is given. What the session
// authorizes is for authorizes to say.
func (c *client) start(typ wire.SE, alg wire.Alg, sym wire.TPMTSymDef, bind ...entity) *session {
	c.Helper()
	h := wire.HandleNull
	if len(bind) != 0 {
		h = bind[0].handle
	}
	nonce := bytes.Repeat([]byte{0xCA}, 16)
	var w wire.Writer
	w.Sized(nonce)
	w.Sized(nil)
	typ.Write(&w)
	sym.Write(&w)
	alg.Write(&w)
	x := c.ok(request{cc: wire.CCStartAuthSession, handles: []entity{{handle: wire.HandleNull}, {handle: h}}, params: w.Data()})
	s := &session{handle: x.handle, alg: alg, sym: sym, nonceTPM: x.params[2:], attrs: wire.SessContinue}
	if len(bind) != 0 {
		hash := c.hash(alg)
		s.key = tpm2.KDFa(hash, bind[0].auth, "ATH", s.nonceTPM, nonce, 8*hash.Size())
	}
	return s
}

var (
	noSym  = wire.TPMTSymDef{Algorithm: wire.AlgNull}
	aes128 = wire.TPMTSymDef{Algorithm: wire.AlgAES, KeyBits: 128, Mode: wire.AlgCFB}
	aes256 = wire.TPMTSymDef{Algorithm: wire.AlgAES, KeyBits: 256, Mode: wire.AlgCFB}
	xor    = wire.TPMTSymDef{Algorithm: wire.AlgXOR, Hash: wire.AlgSHA256}
)

// hmacSession starts an unbound HMAC session with SHA-256.
func (c *client) hmacSession() *session {
	c.Helper()
	return c.start(wire.SEHMAC, wire.AlgSHA256, noSym)
}

// params encodes parameters: a []byte or string is a sized buffer, numbers are
// themselves.
func params(values ...any) []byte {
	var w wire.Writer
	for _, v := range values {
		switch v := v.(type) {
		case string:
			w.Sized([]byte(v))
		case []byte:
			w.Sized(v)
		case uint8:
			w.U8(v)
		case uint16:
			w.U16(v)
		case uint32:
			w.U32(v)
		case interface{ Write(*wire.Writer) }:
			v.Write(&w)
		default:
			panic(v)
		}
	}
	return w.Data()
}

// setAuth gives the hierarchy an authValue and returns it as an entity that has
// it.
func (c *client) setAuth(e entity, auth string) entity {
	c.Helper()
	c.ok(request{wire.CCHierarchyChangeAuth, []entity{e}, []*session{pw(string(e.auth))}, params(auth), 0})
	e.auth = []byte(auth)
	return e
}

// nvIndex is a defined index, as far as a client has to know it.
type nvIndex struct {
	entity
	public wire.TPMSNVPublic
}

// defineNV defines an index with owner authorization.
func (c *client) defineNV(attrs wire.TPMANV, auth string, policy []byte, size uint16) *nvIndex {
	c.Helper()
	return c.defineNVBy(owner, attrs, auth, policy, size)
}

// definePlatformNV defines an index with platform authorization.
func (c *client) definePlatformNV(attrs wire.TPMANV, policy []byte) *nvIndex {
	c.Helper()
	return c.defineNVBy(platform, attrs|wire.NVPlatformCreate, "", policy, 8)
}

func (c *client) defineNVBy(by entity, attrs wire.TPMANV, auth string, policy []byte, size uint16) *nvIndex {
	c.Helper()
	handle := wire.Handle(0x01500000)
	if by.handle == wire.HandlePlatform {
		handle = 0x01400000
	}
	x := &nvIndex{
		entity: entity{handle: handle, auth: []byte(auth)},
		public: wire.TPMSNVPublic{NVIndex: handle, NameAlg: wire.AlgSHA256, Attributes: attrs, AuthPolicy: policy, DataSize: size},
	}
	c.ok(request{wire.CCNVDefineSpace, []entity{by}, []*session{pw("")}, params(auth, wire.Marshal(x.public)), 0})
	x.setAttributes(attrs)
	return x
}

// setAttributes follows a change of the attributes, which changes the Name.
func (x *nvIndex) setAttributes(a wire.TPMANV) {
	x.public.Attributes = a
	x.name = append([]byte{0x00, 0x0B}, digest(crypto.SHA256, wire.Marshal(x.public))...)
}

// write writes the whole index with owner authorization.
func (c *client) write(x *nvIndex, data ...byte) {
	c.Helper()
	c.ok(request{wire.CCNVWrite, []entity{owner, x.entity}, []*session{pw("")}, params(data, uint16(0)), 0})
	x.setAttributes(x.public.Attributes | wire.NVWritten)
}
