package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/bootseal/bootseal/vtpm/store/etcd"
)

const storeUsage = `etcd://HOST:PORT[,HOST:PORT][/PREFIX][?cacert=FILE&cert=FILE&key=FILE&user=NAME&passwordfile=FILE&ttl=15s&wait=0s]`

const etcdScheme = "etcd://"

// etcdStates are the states of vTPMs in etcd, encrypted with the --state-key.
type etcdStates struct {
	client *etcd.Client
	key    *stateKey
}

// openEtcd returns the states at an etcd:// URL.
func (a *app) openEtcd(url string) (*etcdStates, error) {
	key, err := openStateKey(a.stateKey, a.hostTPM)
	if err != nil {
		return nil, err
	}
	if a.stateCounter != "" {
		return nil, errors.New("--state-counter is for states in directories")
	}
	if key.key == nil {
		return nil, errors.New("states in etcd are encrypted always: say --state-key")
	}
	if key.ledger != nil {
		return nil, errors.New("a counter in this machine's TPM cannot count states that move to others: use a --state-key without")
	}
	c, err := etcd.ParseURL(url)
	if err != nil {
		return nil, err
	}
	client, err := etcd.Dial(c)
	if err != nil {
		return nil, err
	}
	return &etcdStates{client, key}, nil
}

// Open opens the state with the name, as host.Options.OpenStore does.
func (e *etcdStates) Open(name string) (vtpm.Store, io.Closer, error) {
	s, err := e.client.Open(context.Background(), name, e.key.key)
	if err != nil {
		return nil, nil, err
	}
	return s, s, nil
}

// Close closes the connection.
func (e *etcdStates) Close() error { return e.client.Close() }

// openStateAt opens the state at a place: a directory, or an etcd:// URL whose path ends
// with the state's name. Lost is done when the state is another machine's; then the TPM
// must not be used any more.
func (a *app) openStateAt(place string) (s vtpm.Store, closer io.Closer, lost context.Context, err error) {
	if !strings.HasPrefix(place, etcdScheme) {
		d, err := a.openState(place)
		return d, d, context.Background(), err
	}
	url, name, err := cutStateName(place)
	if err != nil {
		return nil, nil, nil, err
	}
	states, err := a.openEtcd(url)
	if err != nil {
		return nil, nil, nil, err
	}
	s, closer, err = states.Open(name)
	if err != nil {
		return nil, nil, nil, errors.Join(err, states.Close())
	}
	return s, closers{closer, states}, s.(*etcd.Store).Lost(), nil
}

// cutStateName returns the URL of states, and the name of the one that the path ends with.
func cutStateName(place string) (url, name string, err error) {
	where, query, _ := strings.Cut(place, "?")
	at := strings.LastIndexByte(where, '/')
	if at < len(etcdScheme) || at == len(where)-1 {
		return "", "", fmt.Errorf("%s: the path ends with the state's name: etcd://HOST:PORT/PREFIX/NAME", where)
	}
	return where[:at] + "?" + query, where[at+1:], nil
}

// closers closes all of them, in order.
type closers []io.Closer

// Close closes them, and joins the errors.
func (c closers) Close() error {
	var errs []error
	for _, one := range c {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}

// untilLost is a context that ends with ctx, or when the state is lost; why it is returns
// the reason then.
func untilLost(ctx, lost context.Context) (until context.Context, why func() error) {
	until, cancel := context.WithCancel(ctx)
	context.AfterFunc(lost, cancel)
	return until, func() error {
		if err := context.Cause(lost); err != nil && !errors.Is(err, store.ErrClosed) {
			return err
		}
		return nil
	}
}
