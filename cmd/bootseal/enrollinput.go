package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/luks/recoverykey"
	"github.com/bootseal/bootseal/node/enroll"
)

// opening is a passphrase that opens a volume.
type opening struct {
	passphrase []byte
	keyslot    int
}

func (o *opening) clear() { clear(o.passphrase) }

// readPassphrase returns a passphrase that opens one of the volume's keyslots, but none
// of without: from the file, or asked for on the terminal.
func (a *app) readPassphrase(ctx context.Context, v *cryptsetup.Volume, file string, without ...int) (*opening, error) {
	if file != "" {
		text, err := a.secretFile(file)
		if err != nil {
			return nil, fmt.Errorf("--key-file: %w", err)
		}
		o, err := a.tryPassphrase(ctx, v, text, without)
		if err != nil {
			return nil, fmt.Errorf("--key-file %s: %w", file, err)
		}
		return o, nil
	}
	const tries = 3
	for try := 1; ; try++ {
		text, err := a.askSecret(ctx, fmt.Sprintf("Passphrase or recovery key of %s: ", v.Path()))
		if errors.Is(err, errNoTerminal) {
			return nil, errors.New("there is no terminal to ask for a passphrase: give it with --key-file FILE (- for standard input)")
		}
		if err != nil {
			return nil, err
		}
		o, err := a.tryPassphrase(ctx, v, text, without)
		if err == nil || try == tries || !errors.Is(err, cryptsetup.ErrPassphrase) {
			return o, err
		}
		fmt.Fprintf(a.err, "%v; once more.\n", err)
	}
}

// tryPassphrase finds the keyslot that a text opens: as it is, without the newline that
// editors and echo put at its end, and as a recovery key in any spelling. It takes the
// text over.
func (a *app) tryPassphrase(ctx context.Context, v *cryptsetup.Volume, text []byte, without []int) (o *opening, err error) {
	forms := [][]byte{text}
	if short, ok := bytes.CutSuffix(text, []byte("\n")); ok && len(short) > 0 {
		forms = append(forms, short)
	}
	if key, notKey := recoverykey.Parse(text); notKey == nil && !bytes.Equal(key.Passphrase(), forms[len(forms)-1]) {
		forms = append(forms, key.Passphrase())
	}
	defer func() {
		if o == nil || len(o.passphrase) > 0 && &o.passphrase[0] != &text[0] {
			clear(text)
		}
	}()
	for _, f := range forms {
		slot := -1
		err = a.during("trying the passphrase", func() (err error) {
			slot, err = enroll.Opens(ctx, v, f, without...)
			return err
		})
		if err == nil {
			return &opening{f, slot}, nil
		}
		if !errors.Is(err, cryptsetup.ErrPassphrase) {
			return nil, err
		}
	}
	return nil, err
}
