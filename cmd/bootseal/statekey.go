package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/bootseal/bootseal/internal/hosttpm"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/bootseal/bootseal/vtpm/store/etcd"
	"github.com/google/go-tpm/tpm2/transport"
)

const stateKeyUsage = `the key to vTPM states at rest: file:PATH, credential:NAME (systemd), or tpm:FILE (from
"bootseal vtpm key create"); without one, states are not encrypted`

// ledgerSuffix is behind the name of a sealed key, for the ledger that goes with it.
const ledgerSuffix = ".ledger"

// stateKey is the key to the states of vTPMs, and what counts them. The zero value is no
// key.
type stateKey struct {
	key    []byte
	ledger *store.Ledger // nil: no TPM counts them
	etcd   *etcd.Client  // counts them if there is no ledger; nil: nothing does
}

// stateCounter is what counts a state.
type stateCounter interface {
	store.Counter
	Retire() error
}

// openStateKey returns the key that a --state-key names. The host opens the TPM of this
// machine, which is asked only for a key that is sealed in it or counted by it.
func openStateKey(spec string, host func() (transport.TPMCloser, error)) (*stateKey, error) {
	kind, where, _ := strings.Cut(spec, ":")
	k := new(stateKey)
	var err error
	switch {
	case spec == "":
	case kind == "file" && where != "":
		k.key, err = store.KeyFromFile(where)
	case kind == "credential" && where != "":
		k.key, err = store.KeyFromCredential(where)
	case kind == "tpm" && where != "":
		err = k.unseal(where, host)
	default:
		return nil, fmt.Errorf("--state-key %s: choose file:PATH, credential:NAME or tpm:FILE", spec)
	}
	if err != nil {
		return nil, fmt.Errorf("--state-key %s: %w", spec, err)
	}
	return k, nil
}

// unseal has the host's TPM give out the key in the file.
func (k *stateKey) unseal(path string, host func() (transport.TPMCloser, error)) (err error) {
	sealed, err := hosttpm.ReadKey(path)
	if err != nil {
		return err
	}
	tpm, err := host()
	if err != nil {
		return err
	}
	opened, err := sealed.Open(tpm)
	if err = closeAfter(tpm, err); err != nil {
		return withRemedy(err)
	}
	k.key = opened.Key
	if opened.Counter == 0 {
		return nil
	}
	counter, err := hosttpm.NewCounter(opened, host)
	if err != nil {
		return err
	}
	k.ledger, err = store.NewLedger(path+ledgerSuffix, opened.Key, counter)
	return err
}

// withRemedy adds what a person can do. The remedies of package seal speak of disks.
func withRemedy(err error) error {
	var mismatch *seal.MismatchError
	var foreign *seal.ForeignError
	var parent *seal.ParentError
	switch {
	case errors.As(err, &mismatch):
		return fmt.Errorf("%w; if you know why, seal it again: bootseal vtpm key reseal --from file:BACKUP FILE", err)
	case errors.As(err, &foreign), errors.As(err, &parent):
		return fmt.Errorf("%w; use the backup of the key: --state-key file:BACKUP", err)
	}
	return err
}

// options returns how to open the state of the instance with the name.
func (k *stateKey) options(instance string) store.Options {
	o := store.Options{Key: k.key, Instance: instance}
	if c := k.counter(instance); c != nil {
		o.Counter = c
	}
	return o
}

// counter returns what counts the state of the instance, or nil.
func (k *stateKey) counter(instance string) stateCounter {
	switch {
	case k.ledger != nil:
		return k.ledger.Counter(instance)
	case k.etcd != nil:
		return k.etcd.Counter(instance, k.key)
	}
	return nil
}

// countedIn has etcd count the states that no TPM counts. The connection lasts as long as
// the process.
func (k *stateKey) countedIn(url string) error {
	if url == "" || k.ledger != nil {
		return nil
	}
	if k.key == nil {
		return errors.New("--state-counter needs a --state-key: without one, anybody could write the count")
	}
	c, err := etcd.ParseURL(url)
	if err == nil {
		k.etcd, err = etcd.Dial(c)
	}
	if err != nil {
		return fmt.Errorf("--state-counter: %w", err)
	}
	return nil
}

// open opens the state of the place.
func (k *stateKey) open(p swtpmPlace) (*store.Directory, error) {
	o, err := k.optionsOf(p.path, "")
	if err != nil {
		return nil, err
	}
	if p.file && o.Counter != nil {
		return nil, fmt.Errorf("%s: only a state in a directory of its own can be counted: use dir://", p)
	}
	state, err := p.open(o)
	if err != nil {
		return nil, stateRemedy(p.path, err)
	}
	return state, nil
}

// optionsOf returns how to open the state in the directory, of the instance or the one that
// instanceOf names.
func (k *stateKey) optionsOf(dir, instance string) (store.Options, error) {
	if k.key == nil {
		return store.Options{}, nil
	}
	if instance == "" {
		path, err := filepath.Abs(dir)
		if err != nil {
			return store.Options{}, err
		}
		instance = instanceOf(path)
	}
	return k.options(instance), nil
}

// instanceOf returns the name of the instance whose state is in a directory: the
// directory's, or where the daemon keeps it, that of the one above.
func instanceOf(path string) string {
	if filepath.Base(path) == "state" {
		above := filepath.Dir(path)
		if _, err := os.Lstat(filepath.Join(above, "instance.json")); err == nil {
			return filepath.Base(above)
		}
	}
	return filepath.Base(path)
}

// stateRemedy adds to the error of opening a state what a person can do.
func stateRemedy(dir string, err error) error {
	var rollback *store.RollbackError
	switch {
	case errors.As(err, &rollback) && rollback.Missing:
		return fmt.Errorf("%w; put it back, or, to have a new TPM made: bootseal vtpm state accept --missing %s", err, dir)
	case errors.As(err, &rollback):
		return fmt.Errorf("%w; find out who put it there; if it was you, with a backup: bootseal vtpm state accept %s", err, dir)
	case errors.Is(err, store.ErrCounted):
		return fmt.Errorf("%w: use the --state-key tpm:FILE that it was used with, or bootseal vtpm state accept %s", err, dir)
	}
	return err
}

// openState opens the state in a directory with the --state-key.
func (a *app) openState(dir string) (*store.Directory, error) {
	return a.openPlace(swtpmPlace{path: dir})
}

// openPlace opens the state of a place with the --state-key.
func (a *app) openPlace(p swtpmPlace) (*store.Directory, error) {
	k, err := a.openStateKey()
	if err != nil {
		return nil, err
	}
	return k.open(p)
}

// openStateKey opens the --state-key, with the --state-counter.
func (a *app) openStateKey() (*stateKey, error) { return a.openStateKeyOn(a.hostTPM) }

func (a *app) openStateKeyOn(host func() (transport.TPMCloser, error)) (*stateKey, error) {
	k, err := openStateKey(a.stateKey, host)
	if err != nil {
		return nil, err
	}
	return k, k.countedIn(a.stateCounter)
}

// openEmbeddedState opens the state of --tpm embedded:DIR with the --state-key. The
// host's TPM is then the one that Linux has.
func (a *app) openEmbeddedState(dir string) (*store.Directory, error) {
	k, err := a.openStateKeyOn(func() (transport.TPMCloser, error) { return openDevice(defaultDevice) })
	if err != nil {
		return nil, err
	}
	return k.open(swtpmPlace{path: dir})
}

// hostTPM opens the TPM of this machine, for verbs that serve or look at a vTPM: --tpm
// names it, and its own state, if it is embedded, has no key.
func (a *app) hostTPM() (transport.TPMCloser, error) {
	host := *a
	host.stateKey, host.stateCounter = "", ""
	return host.openTPM()
}
