package cryptsetup

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/bootseal/bootseal/luks"
)

// ImportToken adds a token and returns its number, the lowest that is free. text is
// what [luks.Token]'s MarshalJSON or [luks.SystemdTPM2.For] return.
func (v *Volume) ImportToken(ctx context.Context, text []byte) (int, error) {
	h, err := v.Header()
	if err != nil {
		return 0, err
	}
	id, err := h.Metadata.FreeToken()
	if err == nil {
		err = roomFor(h, luks.Cost(id, len(text)))
	}
	if err != nil {
		return 0, fmt.Errorf("add a token to %s: %w", v.path, err)
	}
	return id, v.importToken(ctx, id, text)
}

// ReplaceToken puts a token in another one's place, in one write of the header. A
// cryptsetup that does not know --token-replace refuses, and nothing has changed.
func (v *Volume) ReplaceToken(ctx context.Context, id int, text []byte) error {
	h, err := v.Header()
	if err != nil {
		return err
	}
	old, ok := h.Metadata.Tokens[id]
	if !ok {
		return fmt.Errorf("replace token %d of %s: there is none", id, v.path)
	}
	if err := roomFor(h, len(text)-len(old)); err != nil {
		return fmt.Errorf("replace token %d of %s: %w", id, v.path, err)
	}
	return v.importToken(ctx, id, text, "--token-replace")
}

func roomFor(h *luks.Header, cost int) error {
	if free := h.Room().Bytes; cost > free {
		return fmt.Errorf("%w: the token takes %d bytes, and %d are free", luks.ErrFull, cost, free)
	}
	return nil
}

func (v *Volume) importToken(ctx context.Context, id int, text []byte, options ...string) error {
	args := append([]string{"token", "import", "--token-id", strconv.Itoa(id), "--json-file", "-"}, options...)
	if _, err := v.run(ctx, fmt.Sprintf("write token %d to", id), call{args: args, stdin: text}); err != nil {
		return err
	}
	h, err := v.Header()
	if err != nil {
		return err
	}
	if !sameJSON(h.Metadata.Tokens[id], text) {
		return fmt.Errorf("write token %d to %s: what is there now is another token", id, v.path)
	}
	return nil
}

// sameJSON compares values: cryptsetup writes JSON in a form of its own.
func sameJSON(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	p, errP := json.Marshal(x)
	q, errQ := json.Marshal(y)
	return errP == nil && errQ == nil && bytes.Equal(p, q)
}

// ExportToken asks cryptsetup for a token's text.
func (v *Volume) ExportToken(ctx context.Context, id int) (json.RawMessage, error) {
	args := []string{"token", "export", "--token-id", strconv.Itoa(id)}
	out, err := v.run(ctx, fmt.Sprintf("read token %d of", id), call{args: args})
	return bytes.TrimSpace(out), err
}

// RemoveToken removes a token. Its keyslots stay.
func (v *Volume) RemoveToken(ctx context.Context, id int) error {
	args := []string{"token", "remove", "--token-id", strconv.Itoa(id)}
	if _, err := v.run(ctx, fmt.Sprintf("remove token %d of", id), call{args: args}); err != nil {
		return err
	}
	h, err := v.Header()
	if err != nil {
		return err
	}
	if _, ok := h.Metadata.Tokens[id]; ok {
		return fmt.Errorf("remove token %d of %s: it is still there", id, v.path)
	}
	return nil
}
