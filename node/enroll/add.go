package enroll

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bootseal/bootseal/internal/atomicfile"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/luks/recoverykey"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2/transport"
)

// Machine is what is worked on.
type Machine struct {
	TPM    transport.TPM
	Volume *cryptsetup.Volume
	State  string // the state folder
	// OwnerAuth is the owner hierarchy's password, needed where the TPM has no SRK yet, and
	// for a rollback guard.
	OwnerAuth []byte
	// Failpoint, if it is set, is told the name of each change before and after it is
	// made, for tests of what a crash leaves.
	Failpoint func(point string)
}

func (m *Machine) at(point string) {
	if m.Failpoint != nil {
		m.Failpoint(point)
	}
}

// Request is what is to be added.
type Request struct {
	// Existing opens the volume now. It is neither changed nor kept.
	Existing []byte
	// Boots are those that are to open the volume, the most important first.
	Boots []plan.Boot
	// Release is that of the systemd which will read the tokens: it decides the parent
	// key and how a PIN is derived.
	Release int
	PIN     []byte // empty for none
	// RollbackGuard makes a counter in the TPM by which what is retired can be closed for
	// good: see [seal.Guard]. Only `bootseal unlock` opens the tokens then.
	RollbackGuard bool
	// Signed, if it is set, adds tokens which open for any values of some PCRs that a key's
	// owner has signed, beside those for Boots: for boots that nobody can predict here.
	Signed *seal.Signed
	// Recovery is the recovery key to add, nil for none.
	Recovery *recoverykey.Key
	// KeyFile is where the recovery key is written, a file that must not be there yet,
	// or "" where the caller shows it.
	KeyFile string
}

// secretSize is that of the secret in the TPM, in bytes, as systemd-cryptenroll has it.
const secretSize = 32

// Added is what an [Add] has added, and not yet finished.
type Added struct {
	Recovery int         // the recovery key's keyslot, -1 without one
	Keyslot  int         // the TPM's
	Tokens   []int       // the systemd-tpm2 tokens' numbers, one for each of Boots
	Signed   []int       // the numbers of tokens with the signed policy
	Boot     int         // the bootseal token's number
	Parent   seal.Parent // the key that the secret is sealed under
	Boots    []plan.Boot // those that there was room for
	Left     []plan.Boot // those that there was none for
	// Opened is the number of the token by which the TPM gave out the secret now, -1
	// where none is for the PCRs as they are at this moment.
	Opened int

	machine *Machine
	journal *journal
	secret  []byte
}

// Secret is what the TPM gives out: for package kept, and as [luks.Passphrase].
func (a *Added) Secret() []byte { return a.secret }

// Clear forgets the secret.
func (a *Added) Clear() { clear(a.secret) }

// Add adds what the request says, verifies it, and returns what [Added.Finish] makes
// final. Whatever goes wrong, the volume is as it was before; where even that goes wrong,
// or the program is killed, the next Add needs a [Recover] first, and says so with
// [ErrUnfinished].
func Add(ctx context.Context, m *Machine, req Request) (*Added, error) {
	h, err := m.Volume.Header()
	if err != nil {
		return nil, err
	}
	if j, err := readJournal(m.State, h.UUID); err != nil {
		return nil, err
	} else if j != nil {
		return nil, ErrUnfinished
	}
	if err := req.check(h, m.Volume.Path()); err != nil {
		return nil, err
	}
	a := &Added{Recovery: -1, Opened: -1, machine: m, secret: make([]byte, secretSize)}
	rand.Read(a.secret) // never fails (Go 1.24)
	if err := a.begin(h); err != nil {
		a.Clear()
		return nil, err
	}
	texts, err := a.prepare(h, &req)
	if err == nil {
		err = a.apply(ctx, &req, texts)
	}
	if err != nil {
		return nil, a.giveUp(ctx, err, req.Existing)
	}
	return a, nil
}

// check reports what stands in the way of the request.
func (r *Request) check(h *luks.Header, device string) error {
	keyslots, tokens := 1, 2
	if r.Recovery != nil {
		keyslots, tokens = keyslots+1, tokens+1
	}
	if r.Signed != nil {
		tokens++
	}
	if r.Signed != nil && r.RollbackGuard {
		return errors.New("a rollback guard beside a signed policy closes nothing: what is signed would still open")
	}
	return Check(h, device, keyslots, tokens)
}

// giveUp undoes what was done. A canceled context is no reason not to.
func (a *Added) giveUp(ctx context.Context, err error, existing []byte) error {
	defer a.Clear()
	undoing, stop := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer stop()
	if _, undoErr := a.journal.undo(undoing, a.machine, existing); undoErr != nil {
		return fmt.Errorf("%w; and what was added is not all gone (%w): the next run takes care of it", err, undoErr)
	}
	return err
}

// Undo takes everything back, after a reason to do so that came later.
func (a *Added) Undo(ctx context.Context, reason error, existing []byte) error {
	return a.giveUp(ctx, reason, existing)
}

// Finish makes what was added final.
func (a *Added) Finish() error {
	a.machine.at("finish")
	defer a.machine.at("finished")
	return a.journal.remove()
}

// texts are the tokens as they will be in the header.
type texts struct {
	recovery []byte
	boots    [][]byte
	signed   [][]byte
	own      []byte
}

// prepare seals and decides, and changes nothing on the volume: the numbers that the
// keyslots and tokens will have follow from the header.
func (a *Added) prepare(h *luks.Header, req *Request) (*texts, error) {
	slots, ids := freeNumbers(h.Metadata.Keyslots, luks.MaxKeyslots), freeNumbers(h.Metadata.Tokens, luks.MaxTokens)
	out := new(texts)
	free := h.Room().Bytes - keyslotCost
	if req.Recovery != nil {
		free -= keyslotCost
		a.Recovery, slots = slots[0], slots[1:]
		text, err := (&luks.Recovery{Keyslots: []int{a.Recovery}}).MarshalJSON()
		if err != nil {
			return nil, err
		}
		out.recovery = text
		free -= luks.Cost(ids[0], len(text))
		ids = ids[1:]
	}
	a.Keyslot = slots[0]
	auth := a.machine.OwnerAuth
	if req.Release < luks.Systemd255 {
		auth = nil // the parent is made at each boot, when nobody types a password
	}
	var err error
	if a.Parent, err = enrollment.ParentFor(a.machine.TPM, req.Release, auth); err != nil {
		return nil, err
	}
	if req.RollbackGuard {
		if err := a.defineGuard(); err != nil {
			return nil, err
		}
	}
	if free, err = a.prepareSigned(out, req, len(ids), free); err != nil {
		return nil, err
	}
	return out, a.prepareBoots(out, req, ids, free)
}

// keyslotCost bounds what a keyslot takes of a header's JSON, in bytes; one with PBKDF2
// takes some 350.
const keyslotCost = 450

// prepareBoots seals for one boot after the other, as long as tokens fit.
func (a *Added) prepareBoots(out *texts, req *Request, ids []int, free int) error {
	own := &luks.Boot{Keyslots: []int{a.Keyslot}}
	for i, b := range req.Boots {
		if len(ids) < 2+len(out.signed) { // one is the bootseal token's
			a.Left = req.Boots[i:]
			break
		}
		text, err := a.sealFor(b.Policy(len(req.PIN) > 0), req)
		if err != nil {
			return fmt.Errorf("seal for %s: %w", b.Label, err)
		}
		with := *own
		with.Paths = append(slices.Clone(own.Paths), luks.Path{Token: ids[0], Label: b.Label, Bank: b.Bank, PCRs: b.PCRs, Events: b.Events})
		ownText, err := with.MarshalJSON()
		if err != nil {
			return err
		}
		cost := luks.Cost(ids[0], len(text))
		if cost+luks.Cost(luks.MaxTokens-1, len(ownText)) > free {
			a.Left = req.Boots[i:]
			break
		}
		free -= cost
		*own, out.own = with, ownText
		out.boots = append(out.boots, text)
		a.Boots, a.Tokens, ids = append(a.Boots, b), append(a.Tokens, ids[0]), ids[1:]
	}
	if len(a.Tokens) == 0 {
		return &Problem{fmt.Sprintf("%d bytes are free in its header, and the tokens of one boot take more", free),
			"remove tokens that nobody needs: cryptsetup token remove --token-id ID " + a.machine.Volume.Path()}
	}
	a.Signed, a.Boot = ids[:len(out.signed)], ids[len(out.signed)]
	return nil
}

// sealFor returns the text of the token with a policy.
func (a *Added) sealFor(p seal.Policy, req *Request) ([]byte, error) {
	p.Guard = a.journal.Guard
	s, err := seal.Seal(a.machine.TPM, seal.Options{
		Secret: a.secret, Policy: p, PIN: req.PIN, Parent: a.Parent, UnsaltedPIN: enrollment.UnsaltedPIN(req.Release),
	})
	if err != nil {
		return nil, err
	}
	if p.Guard != nil {
		t, err := enrollment.NewGuardedToken(s, a.Keyslot)
		if err != nil {
			return nil, err
		}
		return t.MarshalJSON()
	}
	t, err := enrollment.NewToken(s, a.Keyslot)
	if err != nil {
		return nil, err
	}
	if p.Signed != nil {
		t.Pubkey, t.PubkeyPCRs = []byte(p.Signed.PublicKey), p.Signed.PCRs
	}
	return t.For(req.Release)
}

// begin writes the journal: from now on there is something to clean up.
func (a *Added) begin(h *luks.Header) error {
	a.journal = &journal{Version: journalVersion, UUID: h.UUID, root: a.machine.State}
	for slot := range h.Metadata.Keyslots {
		a.journal.Before = append(a.journal.Before, slot)
	}
	slices.Sort(a.journal.Before)
	return a.write()
}

func (a *Added) write() error {
	a.machine.at("journal")
	defer a.machine.at("journal written")
	return a.journal.write()
}

// apply makes the changes, the recovery key first.
func (a *Added) apply(ctx context.Context, req *Request, t *texts) error {
	if req.Recovery != nil {
		if err := a.addRecovery(ctx, req, t.recovery); err != nil {
			return fmt.Errorf("add the recovery key: %w", err)
		}
	}
	passphrase := luks.Passphrase(a.secret)
	defer clear(passphrase)
	if err := a.addKey(ctx, req.Existing, passphrase, a.Keyslot); err != nil {
		return fmt.Errorf("add the TPM's keyslot: %w", err)
	}
	if err := a.machine.Volume.Prefer(ctx, a.Keyslot); err != nil {
		return err
	}
	for i, text := range t.boots {
		if err := a.addToken(ctx, text, a.Tokens[i]); err != nil {
			return fmt.Errorf("add the token for %s: %w", a.Boots[i].Label, err)
		}
	}
	for i, text := range t.signed {
		if err := a.addToken(ctx, text, a.Signed[i]); err != nil {
			return fmt.Errorf("add a token for what is signed: %w", err)
		}
	}
	if err := a.addToken(ctx, t.own, a.Boot); err != nil {
		return fmt.Errorf("add the bootseal token: %w", err)
	}
	return a.verify(ctx, req, t)
}

func (a *Added) addRecovery(ctx context.Context, req *Request, token []byte) error {
	if req.KeyFile != "" {
		text := append(slices.Clone(req.Recovery.Passphrase()), '\n')
		defer clear(text)
		a.journal.KeyFile, a.journal.KeyFileHash = req.KeyFile, digestOf(text)
		if err := a.write(); err != nil {
			return err
		}
		a.machine.at("key file")
		if err := atomicfile.Create(req.KeyFile, text, 0o600); err != nil {
			return err
		}
	}
	if err := a.addKey(ctx, req.Existing, req.Recovery.Passphrase(), a.Recovery); err != nil {
		return err
	}
	return a.addToken(ctx, token, -1)
}

// addKey adds a keyslot of the number, which the journal has before the header.
func (a *Added) addKey(ctx context.Context, existing, added []byte, want int) error {
	a.journal.Keyslots = append(a.journal.Keyslots, want)
	if err := a.write(); err != nil {
		return err
	}
	a.machine.at("keyslot")
	defer a.machine.at("keyslot added")
	slot, err := a.machine.Volume.AddKey(ctx, existing, added, cryptsetup.Quick)
	if err == nil && slot != want {
		a.journal.Keyslots = append(a.journal.Keyslots, slot)
		return errors.Join(fmt.Errorf("it got keyslot %d instead of %d: another program changes the volume at this moment", slot, want), a.write())
	}
	return err
}

// addToken adds a token, of that number unless it is negative.
func (a *Added) addToken(ctx context.Context, text []byte, want int) error {
	a.journal.Tokens = append(a.journal.Tokens, digestOf(text))
	if err := a.write(); err != nil {
		return err
	}
	a.machine.at("token")
	defer a.machine.at("token added")
	id, err := a.machine.Volume.ImportToken(ctx, text)
	if err == nil && want >= 0 && id != want {
		return fmt.Errorf("it got number %d instead of %d: another program changes the volume at this moment", id, want)
	}
	return err
}

// freeNumbers returns the numbers that are not in use, ascending.
func freeNumbers[T any](used map[int]T, limit int) []int {
	var out []int
	for n := range limit {
		if _, ok := used[n]; !ok {
			out = append(out, n)
		}
	}
	return out
}
