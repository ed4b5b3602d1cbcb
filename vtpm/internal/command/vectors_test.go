package command_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm/internal/command"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// TestVectors runs testdata/COMMAND/*.txt; testdata/README.md describes them.
func TestVectors(t *testing.T) {
	for _, path := range vectorFiles(t) {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(path, "testdata/"), ".txt"), func(t *testing.T) {
			t.Parallel()
			v := newVector(t)
			v.runFile(path)
			if !strings.HasPrefix(v.first, "# ") {
				t.Errorf("%s: the first line must be the reason, behind \"# \"", path)
			}
		})
	}
}

// vectorFiles returns every vector, but for the setups.
func vectorFiles(t testing.TB) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/*/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []string
	for _, path := range all {
		if filepath.Base(filepath.Dir(path)) != "setup" {
			vectors = append(vectors, path)
		}
	}
	return vectors
}

// vector is one vector being run.
type vector struct {
	t        testing.TB
	tpm      device
	vars     map[string][]byte
	locality uint8
	first    string // the first line of the file

	steps   []step // everything that was done, for fuzzing
	last    []byte // the last response
	lastRow *command.Row
	checked bool // the last response's code was compared
	where   string
	results []result
}

// result is what a command answered.
type result struct {
	row     *command.Row // nil: raw bytes
	command []byte
	rc      wire.RC
}

func newVector(t testing.TB) *vector {
	return &vector{t: t, tpm: vtpmtest.Open(t), vars: make(map[string][]byte), checked: true}
}

func (v *vector) fatalf(format string, args ...any) {
	v.t.Helper()
	v.t.Fatalf("%s: %s", v.where, fmt.Sprintf(format, args...))
}

// runFile runs a vector or a setup.
func (v *vector) runFile(path string) {
	v.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		v.t.Fatal(err)
	}
	sc := bufio.NewScanner(bytes.NewReader(data))
	line, start := "", 0
	for n := 1; sc.Scan(); n++ {
		if n == 1 {
			v.first = sc.Text()
		}
		if line == "" {
			start = n
		}
		text, more := strings.CutSuffix(strings.TrimRight(stripComment(sc.Text()), " \t"), `\`)
		line += text + " "
		if more {
			continue
		}
		v.where = fmt.Sprintf("%s:%d", path, start)
		v.runLine(strings.TrimSpace(line))
		line = ""
	}
	v.settle()
}

func stripComment(s string) string {
	if strings.HasPrefix(s, "#") {
		return ""
	}
	s, _, _ = strings.Cut(s, " #")
	return s
}

func (v *vector) runLine(line string) {
	v.t.Helper()
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch word {
	case "":
		return
	case "=":
		v.compare(rest)
		return
	case ">":
		v.settle()
		v.match(rest)
		return
	}
	v.settle()
	switch word {
	case "use":
		where, first := v.where, v.first
		v.runFile("testdata/setup/" + rest + ".txt")
		v.where, v.first = where, first
	case "init":
		v.do(step{kind: stepInit})
	case "locality":
		v.locality = uint8(v.number(rest, 8))
	case "presence":
		kind := stepAbsent
		if rest == "on" {
			kind = stepPresent
		}
		v.do(step{kind: kind})
	case "advance":
		d, err := time.ParseDuration(rest)
		if err != nil {
			v.fatalf("%v", err)
		}
		v.do(step{kind: stepAdvance, time: d})
	case "hash":
		v.hash(rest)
	case "raw":
		v.lastRow = nil
		v.send(v.bytes(rest))
	default:
		v.command(word, rest)
	}
}

func (v *vector) hash(rest string) {
	word, data, _ := strings.Cut(rest, " ")
	switch word {
	case "start":
		v.do(step{kind: stepHashStart})
	case "data":
		v.do(step{kind: stepHashData, data: v.bytes(data)})
	case "end":
		v.do(step{kind: stepHashEnd})
	default:
		v.fatalf("hash %s", word)
	}
}

// command sends NAME HANDLES ; SESSIONS : PARAMETERS.
func (v *vector) command(name, rest string) {
	v.t.Helper()
	row := rowByName(name)
	if row == nil {
		v.fatalf("%q is neither a command nor a directive", name)
	}
	area, params, _ := strings.Cut(" "+rest+" ", " : ")
	parts := strings.Split(area, ";")
	var body, sessions wire.Writer
	body.Bytes(v.bytes(parts[0]))
	for _, s := range parts[1:] {
		sessions.Bytes(v.session(strings.TrimSpace(s)))
	}
	tag := wire.STNoSessions
	if len(parts) > 1 {
		tag = wire.STSessions
		body.U32(uint32(sessions.Len()))
		body.Bytes(sessions.Data())
	}
	body.Bytes(v.bytes(params))
	var w wire.Writer
	w.U16(uint16(tag))
	w.U32(uint32(10 + body.Len()))
	w.U32(uint32(row.Code))
	w.Bytes(body.Data())
	v.lastRow = row
	v.send(w.Data())
}

func rowByName(name string) *command.Row {
	for _, r := range command.Rows() {
		if r.Name == name {
			return &r
		}
	}
	return nil
}

// do takes a step and keeps a record of it.
func (v *vector) do(s step) []byte {
	v.steps = append(v.steps, s)
	return s.do(v.tpm)
}

func (v *vector) send(cmd []byte) {
	v.last = v.do(step{kind: stepCommand, locality: v.locality, data: cmd})
	v.checked = false
	v.results = append(v.results, result{v.lastRow, cmd, v.rc()})
	if err := v.tpm.Failure(); err != nil {
		v.fatalf("failure mode: %v", err)
	}
}

func (v *vector) rc() wire.RC {
	r := wire.NewReader(v.last, wire.DefaultLimits())
	r.U16()
	if n := int(r.U32()); n != len(v.last) {
		v.fatalf("response of %d bytes says that it has %d", len(v.last), n)
	}
	return wire.RC(r.U32())
}

// settle demands that the last command succeeded, unless its code was compared.
func (v *vector) settle() {
	v.t.Helper()
	if !v.checked {
		v.checked = true
		if rc := v.rc(); rc != wire.RCSuccess {
			v.fatalf("before this line: %v", rc)
		}
	}
}

// compare compares the last code with NAME [handle|parameter|session N].
func (v *vector) compare(want string) {
	v.t.Helper()
	v.checked = true
	rc := v.rc()
	have := "TPM_RC_SUCCESS"
	if rc != wire.RCSuccess {
		have = strings.NewReplacer(" (", " ", ")", "").Replace(rc.Error())
	}
	if have != want {
		v.fatalf("%s, want %s", have, want)
	}
}

// session encodes one session of the authorization area.
func (v *vector) session(s string) []byte {
	var w wire.Writer
	if inner, ok := strings.CutPrefix(s, "pw"); ok {
		w.U32(uint32(wire.HandlePassword))
		w.Sized(nil)
		w.U8(1)
		w.Sized(v.bytes(strings.Trim(inner, "()")))
		return w.Data()
	}
	names := strings.Split(s, "+")
	w.Bytes(v.bytes(names[0]))
	w.Sized(nil)
	var attributes uint8
	for _, name := range names[1:] {
		bit, ok := map[string]wire.TPMASession{
			"continue": wire.SessContinue, "exclusive": wire.SessAuditExclusive, "reset": wire.SessAuditReset,
			"decrypt": wire.SessDecrypt, "encrypt": wire.SessEncrypt, "audit": wire.SessAudit,
		}[name]
		if !ok {
			v.fatalf("session attribute %q", name)
		}
		attributes |= uint8(bit)
	}
	w.U8(attributes)
	w.Sized(nil)
	return w.Data()
}

// match matches and binds the last response's handle and parameters.
func (v *vector) match(outputs string) {
	v.t.Helper()
	r := v.parameters()
	for _, token := range groups(tokens(outputs)) {
		name, kind, binds := strings.Cut(token, ":")
		switch {
		case name == "handle":
			v.vars[kind] = v.last[10:14]
		case token == ".":
			if r.Len() != 0 {
				v.fatalf("%d bytes more than expected: %x", r.Len(), r.Rest())
			}
		case binds && strings.HasPrefix(name, "$"):
			v.vars[name] = v.take(r, kind)
		default:
			want := v.bytes(token)
			if have := r.Bytes(len(want)); !bytes.Equal(have, want) {
				v.fatalf("%s: have %x, want %x", token, have, want)
			}
		}
		if err := r.Err(); err != nil {
			v.fatalf("%s: %v", token, err)
		}
	}
}

// parameters returns a reader of the last response's parameters.
func (v *vector) parameters() *wire.Reader {
	r := wire.NewReader(v.last, wire.DefaultLimits())
	tag := wire.ST(r.U16())
	r.Bytes(8)
	if v.lastRow != nil && v.lastRow.ResponseHandle() {
		r.Bytes(4)
	}
	if tag == wire.STSessions {
		return wire.NewReader(r.Bytes(int(r.U32())), r.Limits)
	}
	return wire.NewReader(r.Rest(), r.Limits)
}

func (v *vector) take(r *wire.Reader, kind string) []byte {
	switch kind {
	case "*":
		return r.Bytes(r.Len())
	case "b":
		return r.Sized(1 << 16)
	case "2b":
		b := r.Rest()
		n := len(r.Sized(1 << 16))
		return b[:min(2+n, len(b))]
	}
	return r.Bytes(int(v.number(kind, 16)))
}

func (v *vector) number(s string, bits int) uint64 {
	v.t.Helper()
	n, err := strconv.ParseUint(s, 0, bits)
	if err != nil {
		v.fatalf("%v", err)
	}
	return n
}
