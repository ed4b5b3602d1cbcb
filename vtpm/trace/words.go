package trace

import (
	"fmt"
	"strings"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Field is a handle or a parameter: what can be said of it, which is its size where its
// content could be a secret.
type Field struct {
	Name string `json:"name"` // as Part 3 has it: "keyHandle", "inSensitive"
	Text string `json:"text"` // "0x81000001", "TPM_ALG_SHA256", "sha256:0,7", "32 bytes"
}

// Session is an authorization of a command.
type Session struct {
	Kind       string   `json:"kind"` // "password", "HMAC session 0x02000000", "policy session ..."
	Attributes []string `json:"attributes,omitempty"`
}

// Words is a command and its response in words, without secrets.
type Words struct {
	Command    string    `json:"command"` // "TPM2_Unseal", or a number
	Size       int       `json:"size"`    // bytes
	Handles    []Field   `json:"handles,omitempty"`
	Sessions   []Session `json:"sessions,omitempty"`
	Parameters []Field   `json:"parameters,omitempty"`

	Result             string  `json:"result"` // "TPM_RC_SUCCESS", "TPM_RC_AUTH_FAIL (session 1)"
	Code               uint32  `json:"code"`
	ResponseSize       int     `json:"responseSize"`
	ResponseHandles    []Field `json:"responseHandles,omitempty"`
	ResponseParameters []Field `json:"responseParameters,omitempty"`

	// Broken says what of the two could not be read, "" when all was.
	Broken string `json:"broken,omitempty"`
}

// Describe says in words what a command and its response are. They can be anything.
func Describe(cmd, rsp []byte) Words {
	c := readCommand(cmd)
	r := readResponse(c, rsp)
	w := Words{
		Command: commandName(wire.CC(c.code)), Size: len(cmd),
		Handles: fields(c.handles), Parameters: fields(c.params),
		Result: resultName(r.code), Code: r.code, ResponseSize: len(rsp),
		ResponseHandles: fields(r.handles), ResponseParameters: fields(r.params),
	}
	for _, s := range c.sessions {
		w.Sessions = append(w.Sessions, s.words())
	}
	// What is wrong with a command that was refused is in the response.
	if c.broken != "" && r.code == 0 {
		w.Broken = "command: " + c.broken
	}
	if r.broken != "" {
		w.Broken = strings.TrimPrefix(w.Broken+"; response: "+r.broken, "; ")
	}
	return w
}

func resultName(code uint32) string {
	if code == 0 {
		return "TPM_RC_SUCCESS"
	}
	return wire.RC(code).Error()
}

func fields(parts []part) (list []Field) {
	for _, p := range parts {
		list = append(list, Field{p.name, p.text})
	}
	return list
}

func (s session) words() Session {
	var w Session
	switch {
	case s.handle == wire.HandlePassword:
		w.Kind = "password"
	case s.handle.Type() == wire.HTHMACSession:
		w.Kind = "HMAC session " + s.handle.String()
	case s.handle.Type() == wire.HTPolicySession:
		w.Kind = "policy session " + s.handle.String()
	default:
		w.Kind = "session " + s.handle.String()
	}
	for _, a := range []struct {
		bit  wire.TPMASession
		name string
	}{{wire.SessAudit, "audit"}, {wire.SessDecrypt, "decrypt"}, {wire.SessEncrypt, "encrypt"}} {
		if s.attributes.Has(a.bit) {
			w.Attributes = append(w.Attributes, a.name)
		}
	}
	return w
}

// String returns the words on one line:
//
//	TPM2_Sign(keyHandle=0x80000000; password; digest=32 bytes, ...) = TPM_RC_SUCCESS(signature=72 bytes)
func (w Words) String() string {
	var groups []string
	if len(w.Handles) > 0 {
		groups = append(groups, joined(w.Handles))
	}
	var sessions []string
	for _, s := range w.Sessions {
		sessions = append(sessions, strings.Join(append([]string{s.Kind}, s.Attributes...), " "))
	}
	if len(sessions) > 0 {
		groups = append(groups, strings.Join(sessions, ", "))
	}
	if len(w.Parameters) > 0 {
		groups = append(groups, joined(w.Parameters))
	}
	text := fmt.Sprintf("%s(%s) = %s", w.Command, strings.Join(groups, "; "), w.Result)
	var out []string
	for _, list := range [][]Field{w.ResponseHandles, w.ResponseParameters} {
		if len(list) > 0 {
			out = append(out, joined(list))
		}
	}
	if len(out) > 0 {
		text += "(" + strings.Join(out, "; ") + ")"
	}
	if w.Broken != "" {
		text += " [" + w.Broken + "]"
	}
	return text
}

func joined(list []Field) string {
	var words []string
	for _, f := range list {
		words = append(words, f.Name+"="+f.Text)
	}
	return strings.Join(words, ", ")
}
