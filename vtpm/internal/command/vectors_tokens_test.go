package command_test

import (
	"bytes"
	"encoding/hex"
	"strings"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// tokens splits a line at spaces and around parentheses; text in quotes is one
// token.
func tokens(s string) []string {
	var out []string
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		n := 1
		switch s[0] {
		case '(', ')':
		case '"':
			n = 2 + strings.IndexByte(s[1:], '"')
		default:
			if n = strings.IndexAny(s, " ()"); n < 0 {
				n = len(s)
			}
		}
		out = append(out, s[:n])
		s = s[n:]
	}
	return out
}

// groups joins the tokens of each outermost parenthesis into one.
func groups(ts []string) []string {
	var out []string
	depth, from := 0, 0
	for i, t := range ts {
		if t == "(" {
			if depth == 0 {
				from = i
			}
			depth++
		}
		if t == ")" {
			depth--
		}
		if depth == 0 {
			if t == ")" {
				t = strings.Join(ts[from:i+1], " ")
			}
			out = append(out, t)
		}
	}
	return out
}

// bytes returns what the tokens of an expression stand for.
func (v *vector) bytes(expr string) []byte {
	v.t.Helper()
	stack := []*wire.Writer{{}}
	for _, token := range tokens(expr) {
		top := stack[len(stack)-1]
		switch token {
		case "(":
			stack = append(stack, &wire.Writer{})
		case ")":
			if len(stack) == 1 {
				v.fatalf("a ) without its (")
			}
			stack = stack[:len(stack)-1]
			stack[len(stack)-1].Sized(top.Data())
		default:
			top.Bytes(v.token(token))
		}
	}
	if len(stack) != 1 {
		v.fatalf("a ( without its )")
	}
	return stack[0].Data()
}

func (v *vector) token(s string) []byte {
	v.t.Helper()
	if text, ok := strings.CutPrefix(s, `"`); ok {
		return []byte(strings.TrimSuffix(text, `"`))
	}
	if strings.HasPrefix(s, "$") {
		b, ok := v.vars[s]
		if !ok {
			v.fatalf("%s is not bound", s)
		}
		return b
	}
	if b, ok := names[s]; ok {
		return b
	}
	if strings.HasPrefix(s, "TPM_CC_") {
		if row := rowByName("TPM2_" + s[len("TPM_CC_"):]); row != nil {
			return wire.Marshal(row.Code)
		}
	}
	var w wire.Writer
	switch kind, arg, _ := strings.Cut(s, ":"); kind {
	case "u8":
		w.U8(uint8(v.number(arg, 8)))
	case "u16":
		w.U16(uint16(v.number(arg, 16)))
	case "u32":
		w.U32(uint32(v.number(arg, 32)))
	case "u64":
		w.U64(v.number(arg, 64))
	case "zeros":
		w.Bytes(make([]byte, v.number(arg, 16)))
	case "ff":
		w.Bytes(bytes.Repeat([]byte{0xFF}, int(v.number(arg, 16))))
	default:
		b, err := hex.DecodeString(s)
		if err != nil {
			v.fatalf("%q is no hex, no variable and no known name", s)
		}
		w.Bytes(b)
	}
	return w.Data()
}

// names are the specification's names, each in its own size.
var names = func() map[string][]byte {
	m := make(map[string][]byte)
	u32 := func(name string, v uint32) { m[name] = []byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)} }
	u16 := func(name string, v uint16) { m[name] = []byte{byte(v >> 8), byte(v)} }
	for i := range 0x10000 {
		if s := wire.Alg(i).String(); strings.HasPrefix(s, "TPM_ALG_") {
			u16(s, uint16(i))
		}
		if s := wire.ECCCurve(i).String(); strings.HasPrefix(s, "TPM_ECC_") {
			u16(s, uint16(i))
		}
	}
	for s, h := range map[string]wire.Handle{
		"TPM_RH_OWNER": wire.HandleOwner, "TPM_RH_NULL": wire.HandleNull, "TPM_RH_LOCKOUT": wire.HandleLockout,
		"TPM_RH_ENDORSEMENT": wire.HandleEndorsement, "TPM_RH_PLATFORM": wire.HandlePlatform, "TPM_RS_PW": wire.HandlePassword,
		"TPM_RH_PLATFORM_NV": 0x4000000D, "TPM_RH_UNASSIGNED": 0x40000008,
	} {
		u32(s, uint32(h))
	}
	for i, s := range []string{"ALGS", "HANDLES", "COMMANDS", "PP_COMMANDS", "AUDIT_COMMANDS", "PCRS", "TPM_PROPERTIES", "PCR_PROPERTIES", "ECC_CURVES", "AUTH_POLICIES", "ACT"} {
		u32("TPM_CAP_"+s, uint32(i))
	}
	u16("TPM_SU_CLEAR", 0)
	u16("TPM_SU_STATE", 1)
	m["TPM_SE_HMAC"], m["TPM_SE_POLICY"], m["TPM_SE_TRIAL"] = []byte{0}, []byte{1}, []byte{3}
	for i, s := range []string{"EQ", "NEQ", "SIGNED_GT", "UNSIGNED_GT", "SIGNED_LT", "UNSIGNED_LT", "SIGNED_GE", "UNSIGNED_GE", "SIGNED_LE", "UNSIGNED_LE", "BITSET", "BITCLEAR"} {
		u16("TPM_EO_"+s, uint16(i))
	}
	for s, st := range map[string]uint16{
		"RSP_COMMAND": 0x00C4, "NULL": 0x8000, "NO_SESSIONS": 0x8001, "SESSIONS": 0x8002, "ATTEST_NV": 0x8014,
		"ATTEST_COMMAND_AUDIT": 0x8015, "ATTEST_SESSION_AUDIT": 0x8016, "ATTEST_CERTIFY": 0x8017, "ATTEST_QUOTE": 0x8018,
		"ATTEST_TIME": 0x8019, "ATTEST_CREATION": 0x801A, "ATTEST_NV_DIGEST": 0x801C, "CREATION": 0x8021, "VERIFIED": 0x8022,
		"AUTH_SECRET": 0x8023, "HASHCHECK": 0x8024, "AUTH_SIGNED": 0x8025,
	} {
		u16("TPM_ST_"+s, st)
	}
	return m
}()
