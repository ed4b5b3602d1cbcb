package etcd

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Owner is who has a state open, as the owner key says.
type Owner struct {
	Host  string    `json:"host"`
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
	// ID is random, and tells one owner from another.
	ID string `json:"id"`
}

// OwnedError says that another owner has the state.
type OwnedError struct {
	Name  string
	Owner Owner
	// Left is how long it keeps the state if it is dead.
	Left time.Duration
}

// Error says who has it.
func (e *OwnedError) Error() string {
	return fmt.Sprintf("the state %s is open on %s (process %d, since %s); if that is dead, it is free in %v",
		e.Name, e.Owner.Host, e.Owner.PID, e.Owner.Since.Format(time.RFC3339), e.Left)
}

// ErrLost says that the state is not ours any more: the lease ran out, or may have. What
// was acknowledged is in etcd. What was in flight is there or not.
var ErrLost = errors.New("the ownership of the state in etcd is lost")

// ownership is the owner key that we created, as long as its lease is alive.
type ownership struct {
	client   *Client
	key      string
	lease    clientv3.LeaseID
	revision int64 // at which the key was created: the fencing token
	ttl      time.Duration

	lost   context.Context // done when it is lost, with the cause
	lose   context.CancelCauseFunc
	keeper sync.WaitGroup

	mu       sync.Mutex
	deadline time.Time // when the lease may run out, unless it is kept alive
	expiry   *time.Timer
}

// own makes us the owner of the state. It waits for another owner as long as ctx is not
// done.
func (c *Client) own(ctx context.Context, name string) (*ownership, error) {
	for {
		o, other, err := c.tryOwn(ctx, name)
		if err != nil || other == nil {
			return o, err
		}
		owned := c.ownedError(ctx, name, other)
		if c.config.Wait == 0 {
			return nil, owned
		}
		if err := c.waitGone(ctx, other); err != nil {
			return nil, errors.Join(owned, err)
		}
	}
}

// tryOwn creates the owner key, or returns that of another owner.
func (c *Client) tryOwn(ctx context.Context, name string) (*ownership, *mvccpb.KeyValue, error) {
	granted := time.Now()
	lease, err := c.etcd.Grant(ctx, int64(c.config.TTL/time.Second))
	if err != nil {
		return nil, nil, fmt.Errorf("ask etcd at %s for a lease: %w", strings.Join(c.config.Endpoints, ","), explain(err))
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	value, err := json.Marshal(Owner{Host: host, PID: os.Getpid(), Since: granted.UTC().Truncate(time.Second), ID: rand.Text()})
	if err != nil {
		return nil, nil, err
	}
	o := &ownership{client: c, key: c.key(name, "owner"), lease: lease.ID, ttl: time.Duration(lease.TTL) * time.Second}
	other, err := o.create(ctx, string(value))
	if err != nil || other != nil {
		o.revoke()
		return nil, other, err
	}
	o.lost, o.lose = context.WithCancelCause(context.Background())
	o.expiry = time.AfterFunc(time.Hour, func() { o.lose(fmt.Errorf("%w: etcd was not heard of for %v", ErrLost, o.ttl)) })
	o.alive(granted)
	o.keeper.Go(o.keepAlive)
	return o, nil, nil
}

// create puts the owner key if there is none. An answer that is lost is no harm: what we
// find then is our own.
func (o *ownership) create(ctx context.Context, value string) (other *mvccpb.KeyValue, err error) {
	err = until(ctx, func() (bool, error) {
		r, err := o.client.etcd.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(o.key), "=", 0)).
			Then(clientv3.OpPut(o.key, value, clientv3.WithLease(o.lease))).
			Else(clientv3.OpGet(o.key)).Commit()
		switch {
		case err != nil:
			return !refused(err), fmt.Errorf("become the state's owner: %w", err)
		case r.Succeeded:
			o.revision = r.Header.Revision
			return false, nil
		}
		found := r.Responses[0].GetResponseRange().Kvs
		switch {
		case len(found) != 1:
			return true, errors.New("become the state's owner: etcd contradicts itself")
		case string(found[0].Value) == value:
			o.revision = found[0].CreateRevision
		default:
			other = found[0]
		}
		return false, nil
	})
	return other, err
}

func (c *Client) ownedError(ctx context.Context, name string, kv *mvccpb.KeyValue) *OwnedError {
	e := &OwnedError{Name: name}
	_ = json.Unmarshal(kv.Value, &e.Owner) // what it does not say is empty
	if r, err := c.etcd.TimeToLive(ctx, clientv3.LeaseID(kv.Lease)); err == nil && r.TTL > 0 {
		e.Left = time.Duration(r.TTL) * time.Second
	}
	return e
}

// waitGone waits until the owner key is gone, or another one.
func (c *Client) waitGone(ctx context.Context, kv *mvccpb.KeyValue) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for r := range c.etcd.Watch(ctx, string(kv.Key), clientv3.WithRev(kv.ModRevision+1)) {
		if err := r.Err(); err != nil {
			return err
		}
		if len(r.Events) > 0 {
			return nil
		}
	}
	return ctx.Err()
}

// alive notes that the lease was renewed by a request that was sent at a time: it does not
// run out before the TTL is over, and we stop a little earlier, for clocks that differ.
func (o *ownership) alive(sent time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.deadline = sent.Add(o.ttl - o.ttl/10)
	o.expiry.Reset(time.Until(o.deadline))
}

// keepAlive renews the lease until it is lost.
func (o *ownership) keepAlive() {
	wait := o.ttl / 4
	for {
		select {
		case <-o.lost.Done():
			return
		case <-time.After(wait):
		}
		sent := time.Now()
		switch ttl, err := o.renew(); {
		case errors.Is(err, rpctypes.ErrLeaseNotFound), err == nil && ttl <= 0:
			o.lose(fmt.Errorf("%w: the lease ran out", ErrLost))
		case err != nil:
			wait = min(500*time.Millisecond, o.ttl/10)
		default:
			o.alive(sent)
			wait = o.ttl / 4
		}
	}
}

// renew asks once for the lease to be renewed, and returns how long it lasts, in seconds.
// The client's own ways tell neither when they asked nor wait before they ask again.
func (o *ownership) renew() (ttl int64, err error) {
	ctx, cancel := context.WithTimeout(o.lost, o.ttl/4)
	defer cancel()
	stream, err := pb.NewLeaseClient(o.client.etcd.ActiveConnection()).LeaseKeepAlive(ctx)
	if err != nil {
		return 0, err
	}
	if err := stream.Send(&pb.LeaseKeepAliveRequest{ID: int64(o.lease)}); err != nil {
		return 0, err
	}
	r, err := stream.Recv()
	if err != nil {
		return 0, rpctypes.Error(err)
	}
	return r.TTL, nil
}

// err returns why it is lost, or nil. The deadline is looked at, too: a process that was
// stopped for a while may not have noticed yet.
func (o *ownership) err() error {
	o.mu.Lock()
	late := time.Now().After(o.deadline)
	o.mu.Unlock()
	if late {
		o.lose(fmt.Errorf("%w: etcd was not heard of for %v", ErrLost, o.ttl))
	}
	return context.Cause(o.lost)
}

// mine is the condition of every transaction: the owner key is the one that we created.
func (o *ownership) mine() clientv3.Cmp {
	return clientv3.Compare(clientv3.CreateRevision(o.key), "=", o.revision)
}

// release gives the state up. Others need not wait for the lease to run out.
func (o *ownership) release() {
	o.lose(ErrClosed)
	o.expiry.Stop()
	o.keeper.Wait()
	o.revoke()
}

func (o *ownership) revoke() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_, _ = o.client.etcd.Revoke(ctx, o.lease) // otherwise it runs out
}

// refused reports whether etcd said that it did not do what it was asked for: there is no
// use in asking again. Of a change that was refused for want of space see noSpace. Every other
// error may be of an answer that was lost.
func refused(err error) bool {
	for _, e := range []error{
		rpctypes.ErrNoSpace, rpctypes.ErrRequestTooLarge, rpctypes.ErrTooManyOps, rpctypes.ErrDuplicateKey,
		rpctypes.ErrPermissionDenied, rpctypes.ErrUserEmpty, rpctypes.ErrUserNotFound, rpctypes.ErrAuthFailed,
		rpctypes.ErrLeaseNotFound,
	} {
		if errors.Is(rpctypes.Error(err), e) {
			return true
		}
	}
	return false
}

// noSpace reports whether etcd said that it has no space. It says so of a change that it
// refused, and of one that it made when it was full (etcd, server/etcdserver, quotaApplierV3):
// what it has then is to be read.
func noSpace(err error) bool { return errors.Is(rpctypes.Error(err), rpctypes.ErrNoSpace) }

// explain adds to an error that says nothing what it may be.
func explain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("it does not answer: is it there, is it TLS on both sides, and do both trust each other's certificates? (%w)", err)
	}
	return err
}
