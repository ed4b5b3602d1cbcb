package etcd

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/bootseal/bootseal/vtpm/store"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Counter counts a state that rests elsewhere, such as in a directory. Its value is
// authenticated with the key to states, but an etcd that goes back in time takes it along:
// etcd is trusted to remember.
type Counter struct {
	client *Client
	name   string
	key    []byte
}

var _ store.Counter = (*Counter)(nil)

// counterPatience is how long to ask etcd again.
const counterPatience = 30 * time.Second

// Counter returns the counter of the state with the name. The key is the state's.
func (c *Client) Counter(name string, key []byte) *Counter { return &Counter{c, name, key} }

func (c *Counter) at() string { return c.client.key(".counts", c.name) }

// Read returns the count.
func (c *Counter) Read() (store.Count, error) {
	count, _, err := c.read()
	return count, err
}

func (c *Counter) read() (count store.Count, revision int64, err error) {
	if err := checkName(c.name); err != nil {
		return count, 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), counterPatience)
	defer cancel()
	err = until(ctx, func() (bool, error) {
		r, err := c.client.etcd.Get(ctx, c.at())
		if err != nil {
			return !refused(err), err
		}
		if len(r.Kvs) == 0 {
			return false, nil
		}
		revision = r.Kvs[0].ModRevision
		count, err = c.decode(r.Kvs[0].Value)
		return false, err
	})
	if err != nil {
		err = fmt.Errorf("the counter %s in etcd: %w", c.at(), err)
	}
	return count, revision, err
}

// Advance moves the count from a value to the next.
func (c *Counter) Advance(from uint64) error {
	return c.change(func(count store.Count) (store.Count, error) {
		if count.Value != from {
			return count, fmt.Errorf("it stands at %d", count.Value)
		}
		return store.Count{Value: from + 1, InUse: true}, nil
	})
}

// Retire ends the use of the count, as store.LedgerCounter.Retire.
func (c *Counter) Retire() error {
	return c.change(func(count store.Count) (store.Count, error) {
		if count.InUse {
			count = store.Count{Value: count.Value + 1}
		}
		return count, nil
	})
}

// change replaces the value that is there, unless somebody else does.
func (c *Counter) change(f func(store.Count) (store.Count, error)) error {
	count, revision, err := c.read()
	if err != nil {
		return err
	}
	if count, err = f(count); err != nil {
		return fmt.Errorf("the counter %s in etcd: %w", c.at(), err)
	}
	value := string(c.encode(count))
	ctx, cancel := context.WithTimeout(context.Background(), counterPatience)
	defer cancel()
	err = until(ctx, func() (bool, error) {
		r, err := c.client.etcd.Txn(ctx).
			If(clientv3.Compare(clientv3.ModRevision(c.at()), "=", revision)).
			Then(clientv3.OpPut(c.at(), value)).
			Else(clientv3.OpGet(c.at())).Commit()
		var found []*mvccpb.KeyValue
		switch {
		case noSpace(err):
			now, getErr := c.client.etcd.Get(ctx, c.at())
			if getErr != nil {
				return true, getErr
			}
			found = now.Kvs
		case err != nil:
			return !refused(err), err
		case r.Succeeded:
			return false, nil
		default:
			found = r.Responses[0].GetResponseRange().Kvs
			err = errors.New("somebody else moves it")
		}
		// An answer that was lost is no harm: the value is the one that we wrote.
		if len(found) == 1 && string(found[0].Value) == value {
			err = nil
		}
		return false, err
	})
	if err != nil {
		return fmt.Errorf("the counter %s in etcd: %w", c.at(), err)
	}
	return nil
}

// A value is the count u64, whether it is in use, random bytes that tell our move from the
// same one of somebody else, and an HMAC.
const (
	atRandom = 9
	atMAC    = atRandom + 16
)

func (c *Counter) encode(count store.Count) []byte {
	b := make([]byte, atMAC, atMAC+sha256.Size)
	binary.BigEndian.PutUint64(b, count.Value)
	if count.InUse {
		b[8] = 1
	}
	rand.Read(b[atRandom:])
	return append(b, c.mac(b)...)
}

func (c *Counter) decode(b []byte) (store.Count, error) {
	if len(b) != atMAC+sha256.Size || b[8] > 1 || !hmac.Equal(b[atMAC:], c.mac(b[:atMAC])) {
		return store.Count{}, errors.New("it was changed, or is of another key")
	}
	return store.Count{Value: binary.BigEndian.Uint64(b), InUse: b[8] == 1}, nil
}

func (c *Counter) mac(b []byte) []byte {
	h := hmac.New(sha256.New, c.key)
	h.Write([]byte("bootseal vTPM state counter in etcd\x00" + c.name + "\x00"))
	h.Write(b)
	return h.Sum(nil)
}
