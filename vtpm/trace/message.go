package trace

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/bootseal/bootseal/vtpm/internal/command"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

const headerSize = 10

// part is a piece of a message.
type part struct {
	name       string
	start, end int    // bytes of the message
	text       string // what can be said of it
	public     bool   // its bytes can be shown
	sized      bool   // its first two bytes are its size
}

// message is a command or a response as far as it can be read.
type message struct {
	code     uint32 // command code or response code
	row      *command.Row
	handles  []part
	sessions []session
	params   []part
	broken   string // why the rest cannot be read; "" when all was read
	plain    []span // bytes besides parts that can be shown
}

// span is a range of bytes.
type span struct{ start, end int }

// session is a session of a command or a response.
type session struct {
	handle     wire.Handle
	attributes wire.TPMASession
	nonce      int // bytes
	auth       int // bytes of the HMAC or the password
}

// cursor reads a part of a message.
type cursor struct {
	*wire.Reader
	from int // where the part begins
}

func newCursor(msg []byte, from, to int) cursor {
	return cursor{wire.NewReader(msg[from:to], limits()), from}
}

// at returns the place in the message.
func (c cursor) at() int { return c.from + c.Offset() }

// limits are everything that can be in a message, whatever a profile has.
func limits() *wire.Limits {
	l := wire.DefaultLimits()
	l.Curves = append(l.Curves, wire.CurveNISTP192, wire.CurveBNP638)
	l.Ciphers = append(l.Ciphers,
		wire.Cipher{Alg: wire.AlgTDES, KeyBits: []uint16{128, 192}},
		wire.Cipher{Alg: wire.AlgCamellia, KeyBits: []uint16{128, 192, 256}})
	l.Schemes = append(l.Schemes, wire.AlgECMQV)
	l.TransientObjects, l.ActiveSessions = 0, 0 // no bounds
	return l
}

// readCommand reads a command.
func readCommand(cmd []byte) *message {
	m := new(message)
	r := newCursor(cmd, 0, len(cmd))
	tag := m.readHeader(r, len(cmd))
	if m.broken != "" {
		return m
	}
	if m.row = command.Lookup(wire.CC(m.code)); m.row == nil {
		m.broken = "the command is none of the specification"
		return m
	}
	if !m.row.Implemented() {
		m.broken = "bootseal does not have the command"
		return m
	}
	handles, params := m.row.Fields()
	m.readHandles(r, handles)
	encrypted := false
	if tag == wire.STSessions && m.broken == "" {
		area := int(r.U32())
		end := r.at() + area
		m.plain = append(m.plain, span{r.at() - 4, r.at()})
		for r.OK() && r.at() < end {
			s := m.readSession(r, true)
			encrypted = encrypted || s.attributes.Has(wire.SessDecrypt)
		}
		m.check(r, "the authorizations")
	}
	m.readParams(r, params, encrypted)
	return m
}

// readResponse reads the response to a command.
func readResponse(cmd *message, rsp []byte) *message {
	m := new(message)
	r := newCursor(rsp, 0, len(rsp))
	tag := m.readHeader(r, len(rsp))
	if m.row = cmd.row; m.broken != "" || m.code != 0 || m.row == nil || !m.row.Implemented() {
		if r.Len() > 0 && m.broken == "" {
			m.broken = "it is of no command that is known"
		}
		return m
	}
	handles, params := m.row.ResponseFields()
	m.readHandles(r, handles)
	encrypted, area := false, r.Len()
	if tag == wire.STSessions && m.broken == "" {
		area = int(r.U32())
		m.plain = append(m.plain, span{r.at() - 4, r.at()})
		for _, s := range cmd.sessions {
			encrypted = encrypted || s.attributes.Has(wire.SessEncrypt)
		}
	}
	start := r.at()
	if area < 0 || area > r.Len() {
		m.broken = "the parameters are cut short"
		return m
	}
	m.readParams(newCursor(rsp, start, start+area), params, encrypted)
	r = newCursor(rsp, start+area, len(rsp))
	for r.OK() && r.Len() > 0 {
		m.readSession(r, false)
	}
	m.check(r, "the authorizations")
	return m
}

func (m *message) readHeader(r cursor, size int) wire.ST {
	tag := wire.ST(r.U16())
	said := r.U32()
	m.code = r.U32()
	switch {
	case !r.OK():
		m.broken = "the header is cut short"
	case int64(said) != int64(size):
		m.broken = fmt.Sprintf("its size is said to be %d", said)
	}
	if r.OK() {
		m.plain = append(m.plain, span{0, headerSize})
	}
	return tag
}

// check notes that something could not be read.
func (m *message) check(r cursor, what string) {
	if err := r.Err(); err != nil && m.broken == "" {
		m.broken = fmt.Sprintf("%s: %v", what, err)
	}
}

func (m *message) readHandles(r cursor, fields []command.Field) {
	for _, f := range fields {
		start, h := r.at(), wire.Handle(r.U32())
		if m.check(r, f.Name); m.broken != "" {
			return
		}
		m.handles = append(m.handles, part{name: f.Name, start: start, end: r.at(), text: handleName(h), public: true})
	}
}

func (m *message) readSession(r cursor, hasHandle bool) session {
	start, s := r.at(), session{}
	if hasHandle {
		s.handle = wire.Handle(r.U32())
	}
	s.nonce = len(r.Sized(wire.MaxDigest))
	s.attributes = wire.TPMASession(r.U8())
	end := r.at() + 2
	s.auth = len(r.Sized(wire.MaxDigest))
	if r.OK() {
		m.sessions = append(m.sessions, s)
		m.plain = append(m.plain, span{start, end})
	}
	return s
}

func (m *message) readParams(r cursor, fields []command.Field, encrypted bool) {
	for i, f := range fields {
		if m.broken != "" {
			return
		}
		p := part{name: f.Name, start: r.at(), sized: strings.HasPrefix(f.Type.Name(), "TPM2B")}
		if i == 0 && encrypted && p.sized {
			p.text = fmt.Sprintf("%d bytes, encrypted", len(r.Sized(1<<16-1)))
		} else {
			v := f.Read(r.Reader)
			p.text, p.public = describe(v, r.at()-p.start), m.isPublic(f)
		}
		p.end = r.at()
		if m.check(r, f.Name); m.broken != "" {
			return
		}
		m.params = append(m.params, p)
	}
	if n := r.Len(); n > 0 && m.broken == "" {
		m.broken = fmt.Sprintf("%d bytes follow the parameters", n)
	}
}

// publicBuffers are the types of sized structures that are no secret.
var publicBuffers = map[string]bool{
	"TPM2BPublic": true, "TPM2BNVPublic": true, "TPM2BNVPublic2": true, "TPM2BName": true, "TPM2BAttest": true,
	"TPM2BTemplate": true, "TPM2BCreationData": true, "TPM2BEncryptedSecret": true, "TPM2BTimeout": true,
}

// publicDigests are the names of digests and other short buffers that are no secret.
// Others of the same type are authorization values.
var publicDigests = map[string]bool{
	"creationHash": true, "authPolicy": true, "approvedPolicy": true, "policyRef": true, "policyDigest": true,
	"cpHashA": true, "nameHash": true, "pHash": true, "pcrDigest": true, "templateHash": true, "nonceTPM": true,
	"nonceCaller": true, "qualifyingData": true, "digest": true, "tbsDigest": true,
}

// isPublic reports whether the bytes of a parameter can be shown.
func (m *message) isPublic(f command.Field) bool {
	name := f.Type.Name()
	switch {
	case isInteger(f.Type), f.Type.Kind() == reflect.Bool:
		return true
	case name == "TPM2BAttest" && m.row.Code == wire.CCNVCertify: // it has the index' data
		return false
	case strings.HasPrefix(name, "TPM2B"):
		return publicBuffers[name] || publicDigests[f.Name]
	case name == "TPMSContext":
		return false
	}
	return strings.HasPrefix(name, "TPML") || strings.HasPrefix(name, "TPMT") || strings.HasPrefix(name, "TPMS")
}

func isInteger(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Int32:
		return true
	}
	return false
}

// describe says what a value is: all of a number, and of the rest its size.
func describe(value any, size int) string {
	v := reflect.ValueOf(value)
	switch x := value.(type) {
	case wire.TPMLPCRSelection:
		return selectionText(x)
	case interface{ Handle() wire.Handle }:
		return handleName(x.Handle())
	case wire.CC:
		return commandName(x)
	case fmt.Stringer:
		return x.String()
	}
	if v.Kind() == reflect.Bool {
		return map[bool]string{false: "no", true: "yes"}[v.Bool()]
	}
	if !isInteger(v.Type()) {
		if strings.HasPrefix(v.Type().Name(), "TPM2B") {
			size -= 2
		}
		return fmt.Sprintf("%d bytes", size)
	}
	if v.CanInt() {
		return fmt.Sprint(v.Int())
	}
	switch name := v.Type().Name(); {
	case strings.HasPrefix(name, "TPMIAlg"), name == "TPMIECCKeyExchange":
		return wire.Alg(v.Uint()).String()
	case name == "TPMIECCCurve":
		return wire.ECCCurve(v.Uint()).String()
	case name == "uint16", name == "uint32", name == "uint64":
		return fmt.Sprint(v.Uint())
	}
	return fmt.Sprintf("%#x", v.Uint())
}

func commandName(cc wire.CC) string {
	if row := command.Lookup(cc); row != nil {
		return row.Name
	}
	return fmt.Sprintf("%#x", uint32(cc))
}

// handleName says what a handle names.
func handleName(h wire.Handle) string {
	switch h {
	case wire.HandleOwner:
		return "owner"
	case wire.HandleNull:
		return "null"
	case wire.HandlePassword:
		return "password"
	case wire.HandleLockout:
		return "lockout"
	case wire.HandleEndorsement:
		return "endorsement"
	case wire.HandlePlatform:
		return "platform"
	}
	if h.Type() == wire.HTPCR {
		return fmt.Sprintf("PCR %d", h.Index())
	}
	return h.String()
}

func selectionText(list wire.TPMLPCRSelection) string {
	var all []string
	for _, s := range list {
		var pcrs []string
		for i := 0; i < 8*len(s.PCRSelect); i++ {
			first := i
			for s.Has(i) {
				i++
			}
			switch i - first {
			case 0:
			case 1:
				pcrs = append(pcrs, fmt.Sprint(first))
			default:
				pcrs = append(pcrs, fmt.Sprintf("%d-%d", first, i-1))
			}
		}
		all = append(all, strings.ToLower(strings.TrimPrefix(s.Hash.String(), "TPM_ALG_"))+":"+strings.Join(pcrs, ","))
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, " ")
}
