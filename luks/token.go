package luks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Token is one of a header's tokens: a note that says how to come by
// a keyslot's passphrase. Types: [*SystemdTPM2], [*BootsealTPM2], [*Clevis], [*Boot],
// [*Recovery], [*Unknown].
type Token interface {
	// Type is the token's type as it stands in the header.
	Type() string
	// Slots are the keyslots that the token is for.
	Slots() []int
	// MarshalJSON returns the token in the compact form that cryptsetup stores. Call
	// it itself for that: json.Marshal would go on and escape <, > and &.
	MarshalJSON() ([]byte, error)
}

// maxToken is the largest text that ParseToken reads, in bytes: the largest JSON area.
const maxToken = 4 << 20

// TokenError says which token is wrong.
type TokenError struct {
	ID   int
	Type string // empty where not even that can be read
	Err  error
}

func (e *TokenError) Error() string {
	switch {
	case e.Type == "":
		return fmt.Sprintf("token %d: %v", e.ID, e.Err)
	case !printable(e.Type):
		return fmt.Sprintf("token %d (%q): %v", e.ID, e.Type, e.Err)
	}
	return fmt.Sprintf("token %d (%s): %v", e.ID, e.Type, e.Err)
}

func (e *TokenError) Unwrap() error { return e.Err }

// ParseToken reads the text of the token with the number. It fails with a
// [*TokenError] that names the field. Types that bootseal does not know
// become [*Unknown].
func ParseToken(id int, text []byte) (Token, error) {
	t, name, err := parseToken(text)
	if err != nil {
		return nil, &TokenError{ID: id, Type: name, Err: err}
	}
	return t, nil
}

func parseToken(text []byte) (Token, string, error) {
	if len(text) > maxToken {
		return nil, "", fmt.Errorf("%d bytes: want at most %d", len(text), maxToken)
	}
	o, err := parseObject(text)
	if err != nil {
		return nil, "", err
	}
	var name string
	o.need("type", &name)
	if o.err != nil {
		return nil, "", o.err
	}
	slots := o.ids("keyslots")
	if o.err != nil {
		return nil, name, o.err
	}
	var t Token
	switch name {
	case typeSystemdTPM2:
		t, err = parseSystemdTPM2(o, slots)
	case typeBootsealTPM2:
		t, err = parseBootsealTPM2(o, slots)
	case typeClevis:
		t, err = parseClevis(o, slots, text)
	case typeBoot:
		t, err = parseBoot(o, slots)
	case typeRecovery:
		t = &Recovery{Keyslots: slots, Others: o.fields}
	default:
		t = &Unknown{Name: name, Keyslots: slots, Text: bytes.Clone(text)}
	}
	return t, name, err
}

// AllTokens reads all tokens that can be read, by number. The error joins a
// [*TokenError] for each of the others; the map is good in any case.
func (m *Metadata) AllTokens() (map[int]Token, error) {
	all := make(map[int]Token, len(m.Tokens))
	var errs []error
	for _, id := range m.TokenIDs() {
		t, err := ParseToken(id, m.Tokens[id])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all[id] = t
	}
	return all, errors.Join(errs...)
}

// printable reports whether a text from a header may go to a terminal as it is.
func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Unknown is a token of a type that bootseal does not know. It is kept byte for byte;
// Name is any text.
type Unknown struct {
	Name     string
	Keyslots []int
	Text     json.RawMessage
}

func (t *Unknown) Type() string                 { return t.Name }
func (t *Unknown) Slots() []int                 { return t.Keyslots }
func (t *Unknown) MarshalJSON() ([]byte, error) { return t.Text, nil }

const typeRecovery = "systemd-recovery"

// Recovery marks the keyslot of a recovery key, as systemd-cryptenroll does
// (systemd, src/cryptenroll/cryptenroll-recovery.c).
type Recovery struct {
	Keyslots []int
	Others   []Field // what else is in the token
}

func (t *Recovery) Type() string { return typeRecovery }
func (t *Recovery) Slots() []int { return t.Keyslots }

func (t *Recovery) MarshalJSON() ([]byte, error) { return begin(t, t.Others).done() }

// begin writes what every token starts with. others come next, so that begin is
// called with them only where nothing else follows.
func begin(t Token, others []Field) *builder {
	w := &builder{}
	w.add("type", t.Type())
	w.add("keyslots", idTexts(t.Slots()))
	w.others(others)
	return w
}

func (w *builder) others(fields []Field) {
	for _, f := range fields {
		w.add(f.Name, f.Value)
	}
}
