package etcd

import (
	"context"
	"crypto/cipher"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/bootseal/bootseal/vtpm/store/internal/record"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// ErrClosed is the error of a Store after Close.
var ErrClosed = store.ErrClosed

// Limits of a state.
const (
	// chunkSize is of a snapshot's chunk before it is sealed, in bytes. A transaction
	// has one chunk or one frame, and etcd takes 1.5 MiB unless it is told otherwise.
	chunkSize = 512 << 10
	maxChunks = 128
	// A generation with so many frames, or bytes of them, is replaced by a new one.
	maxFrames     = 512
	maxFrameBytes = 256 << 10
)

// Store is a state in etcd, of which we are the owner: a vtpm.Store. Its methods can be
// called from any goroutine.
//
// A Commit that returned nil is in etcd, whatever happens. One that returned an error
// other than ErrLost did not happen. After ErrLost the store does nothing any more: the
// state must be opened again, here or elsewhere, to know what it is. Until then a TPM on
// it answers nothing but its failure.
type Store struct {
	client  *Client
	name    string
	wrapper cipher.AEAD
	owner   *ownership

	mu       sync.Mutex
	records  map[string][]byte // what is in etcd; nil when closed
	gen      *generation       // nil: there is nothing in etcd
	headRev  int64             // at which the head was written last, 0 when there is none
	size     int               // of the snapshot, in bytes
	appended int               // of the frames, in bytes
}

// Open opens the state with the name, and makes us its owner: an *OwnedError while
// another process is, unless Config.Wait says to wait. The key encrypts it, as
// store.Options.Key, and must be there. A state that is damaged or was changed is an error
// and stays as it is.
func (c *Client) Open(ctx context.Context, name string, key []byte) (*Store, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if len(key) != store.KeySize {
		return nil, fmt.Errorf("a state in etcd needs a key of %d bytes", store.KeySize)
	}
	wrapper, err := wrapping(key)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Wait+c.config.TTL)
	defer cancel()
	owner, err := c.own(ctx, name)
	if err != nil {
		return nil, err
	}
	s := &Store{client: c, name: name, wrapper: wrapper, owner: owner, records: make(map[string][]byte)}
	if err := s.read(ctx); err != nil {
		owner.release()
		return nil, fmt.Errorf("the state %s in etcd: %w", name, err)
	}
	return s, nil
}

// Lost is done when the state is not ours any more: whatever serves the TPM must stop at
// once, for another machine may have started it. Its cause says why.
func (s *Store) Lost() context.Context { return s.owner.lost }

// Load returns a copy of the records.
func (s *Store) Load() (map[string][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return nil, err
	}
	all := make(map[string][]byte, len(s.records))
	for name, value := range s.records {
		all[name] = record.Clone(value)
	}
	return all, nil
}

func (s *Store) usable() error {
	if s.records == nil {
		return ErrClosed
	}
	return s.owner.err()
}

// Close gives up the state, and erases the records from memory.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records == nil {
		return nil
	}
	record.Clear(s.records)
	s.records = nil
	s.owner.release()
	return nil
}

// read reads the state, at one moment. Nobody writes meanwhile: we are the owner.
func (s *Store) read(ctx context.Context) error {
	r, err := s.client.etcd.Get(ctx, s.key("head"))
	if err != nil {
		return fmt.Errorf("read its head: %w", err)
	}
	if len(r.Kvs) == 0 {
		return s.checkNothing(ctx)
	}
	gen, err := openHead(s.name, r.Kvs[0].Value, s.wrapper)
	if err != nil {
		return err
	}
	s.headRev = r.Kvs[0].ModRevision
	at := clientv3.WithRev(r.Header.Revision)
	text, err := s.readSnapshot(ctx, gen, at)
	if err != nil {
		return err
	}
	defer clear(text)
	s.size = len(text)
	if s.records, err = record.Decode(text); err != nil {
		return fmt.Errorf("its snapshot: %w", err)
	}
	return s.readFrames(ctx, gen, at)
}

// checkNothing refuses the rest of a state whose head is gone: it is damage, not a state
// that is new.
func (s *Store) checkNothing(ctx context.Context) error {
	r, err := s.client.etcd.Get(ctx, s.key("g/"), clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		return fmt.Errorf("look for a state: %w", err)
	}
	if r.Count > 0 {
		return fmt.Errorf("it is damaged: its head is gone, and %d keys below %s are not", r.Count, s.key("g/"))
	}
	return nil
}

func (s *Store) readSnapshot(ctx context.Context, gen *generation, at clientv3.OpOption) (text []byte, err error) {
	for i := range gen.chunks {
		r, err := s.client.etcd.Get(ctx, s.key(gen.chunkKey(i)), at)
		if err != nil {
			return nil, fmt.Errorf("read chunk %d: %w", i, err)
		}
		if len(r.Kvs) == 0 {
			return nil, fmt.Errorf("it is damaged: chunk %d of %d is missing", i, gen.chunks)
		}
		chunk, err := gen.openChunk(i, r.Kvs[0].Value)
		if err != nil {
			return nil, fmt.Errorf("it is damaged: chunk %d: %w", i, err)
		}
		text = append(text, chunk...)
		clear(chunk)
	}
	return text, nil
}

// readFrames applies the frames that the head tells of, and refuses any other.
func (s *Store) readFrames(ctx context.Context, head *generation, at clientv3.OpOption) error {
	// A page is no larger than what etcd takes as one transaction, times so many.
	const page = 8
	gen := *head
	gen.frames, gen.link = 0, make([]byte, linkSize)
	next := &gen
	prefix := s.key(gen.prefix() + "f/")
	for from := prefix; ; {
		r, err := s.client.etcd.Get(ctx, from, clientv3.WithRange(clientv3.GetPrefixRangeEnd(prefix)), clientv3.WithLimit(page), at)
		if err != nil {
			return fmt.Errorf("read its frames: %w", err)
		}
		for _, kv := range r.Kvs {
			number := next.frames + 1
			if number > head.frames || string(kv.Key) != s.key(gen.frameKey(number)) {
				return fmt.Errorf("it is damaged: frame %d is missing, or there is one that does not belong to it", number)
			}
			if next, err = s.apply(next, kv.Value); err != nil {
				return fmt.Errorf("it is damaged: frame %d: %w", number, err)
			}
			s.appended += len(kv.Value)
		}
		if !r.More {
			break
		}
		from = string(r.Kvs[len(r.Kvs)-1].Key) + "\x00"
	}
	if next.frames != head.frames || string(next.link) != string(head.link) {
		return fmt.Errorf("it is damaged: there are %d frames, and its head says %d", next.frames, head.frames)
	}
	s.gen = next
	return nil
}

// apply applies a frame's changes.
func (s *Store) apply(gen *generation, frame []byte) (next *generation, err error) {
	text, next, err := gen.openFrame(frame)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	changes, err := record.Decode(text)
	if err != nil {
		return nil, err
	}
	record.Apply(s.records, changes)
	return next, nil
}

// key returns the key of a part of this state.
func (s *Store) key(part string) string { return s.client.key(s.name, part) }

// Remove deletes the state with the name, of which nobody must be the owner.
func (c *Client) Remove(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Wait+c.config.TTL)
	defer cancel()
	owner, err := c.own(ctx, name)
	if err != nil {
		return err
	}
	defer owner.release()
	return until(ctx, func() (bool, error) {
		r, err := c.etcd.Txn(ctx).If(owner.mine()).
			Then(clientv3.OpDelete(c.key(name, "head")), clientv3.OpDelete(c.key(name, "g/"), clientv3.WithPrefix())).Commit()
		switch {
		case err != nil:
			return !refused(err), fmt.Errorf("delete the state: %w", err)
		case !r.Succeeded:
			return false, ErrLost
		}
		return false, nil
	})
}

// Stored is a state that is in etcd.
type Stored struct {
	Name string
	// Owner is who has it open, or nil.
	Owner *Owner
}

// List returns the states that are in etcd, by name. It asks once for each.
func (c *Client) List(ctx context.Context) ([]Stored, error) {
	prefix := c.config.Prefix + "/"
	end := clientv3.WithRange(clientv3.GetPrefixRangeEnd(prefix))
	var all []Stored
	for from := prefix; ; {
		r, err := c.etcd.Get(ctx, from, end, clientv3.WithLimit(1), clientv3.WithKeysOnly())
		if err != nil {
			return nil, fmt.Errorf("list the states in etcd: %w", err)
		}
		if len(r.Kvs) == 0 {
			return all, nil
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(string(r.Kvs[0].Key), prefix), "/")
		from = clientv3.GetPrefixRangeEnd(c.key(name))
		if checkName(name) != nil {
			continue
		}
		found := Stored{Name: name}
		if r, err = c.etcd.Get(ctx, c.key(name, "owner")); err != nil {
			return nil, fmt.Errorf("list the states in etcd: %w", err)
		}
		if len(r.Kvs) > 0 {
			found.Owner = new(Owner)
			_ = json.Unmarshal(r.Kvs[0].Value, found.Owner) // what it does not say is empty
		}
		all = append(all, found)
	}
}
