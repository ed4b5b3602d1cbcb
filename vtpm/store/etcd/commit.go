package etcd

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/bootseal/bootseal/vtpm/store/internal/record"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// attempt is one Commit on its way: a transaction, and what we know when it happened.
type attempt struct {
	ops     []clientv3.Op
	head    string
	gen     *generation
	size    int // of the snapshot, 0 when it stays
	appends int // how many bytes of frames there are more
}

// Commit makes the changes durable, all or none, in one transaction. It asks again as
// long as it is not known what became of it, and we may be the owner; then it is ErrLost.
func (s *Store) Commit(changes map[string][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	changes = record.Different(s.records, changes)
	if len(changes) == 0 && s.gen != nil {
		return nil
	}
	a, err := s.attempt(changes)
	if err == nil {
		err = s.do(a)
	}
	if err != nil {
		return fmt.Errorf("write the TPM's state to etcd: %w", err)
	}
	record.Apply(s.records, changes)
	s.gen = a.gen
	s.appended += a.appends
	if a.size > 0 {
		s.size, s.appended = a.size, 0
	}
	return nil
}

// attempt prepares the transaction: a frame, or a new generation.
func (s *Store) attempt(changes map[string][]byte) (*attempt, error) {
	text, err := record.Encode(changes)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	if s.gen == nil || s.gen.frames >= maxFrames || s.appended+len(text) > max(maxFrameBytes, s.size) || len(text) > chunkSize {
		return s.newGeneration(changes)
	}
	frame, next := s.gen.frame(text)
	a := &attempt{gen: next, head: string(next.head()), appends: len(frame)}
	a.ops = []clientv3.Op{clientv3.OpPut(s.key(next.frameKey(next.frames)), string(frame))}
	return a, nil
}

// newGeneration writes all records with the changes as the chunks of a new generation,
// and prepares the transaction that puts it in the old one's place. Until then they do
// not count. The last chunk is part of the transaction; few states have another one.
func (s *Store) newGeneration(changes map[string][]byte) (*attempt, error) {
	all := maps.Clone(s.records)
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, value []byte) bool { return value == nil })
	text, err := record.Encode(all)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	gen, err := newGeneration(s.name, s.wrapper)
	if err != nil {
		return nil, err
	}
	a := &attempt{gen: gen, size: max(len(text), 1)}
	rest := text
	for len(rest) > chunkSize {
		put := clientv3.OpPut(s.key(gen.chunkKey(gen.chunks)), string(gen.chunk(gen.chunks, rest[:chunkSize])))
		if err := s.putChunk(put); err != nil {
			return nil, err
		}
		rest = rest[chunkSize:]
		if gen.chunks++; gen.chunks == maxChunks {
			return nil, fmt.Errorf("%d bytes of records are too many", len(text))
		}
	}
	mine := s.key(gen.prefix())
	a.ops = []clientv3.Op{
		clientv3.OpPut(s.key(gen.chunkKey(gen.chunks)), string(gen.chunk(gen.chunks, rest))),
		// Everything but this generation goes, also what is left of ones that never counted.
		clientv3.OpDelete(s.key("g/"), clientv3.WithRange(mine)),
		clientv3.OpDelete(clientv3.GetPrefixRangeEnd(mine), clientv3.WithRange(clientv3.GetPrefixRangeEnd(s.key("g/")))),
	}
	gen.chunks++
	a.head = string(gen.head())
	return a, nil
}

// putChunk puts a chunk that does not count yet: to do it twice is no harm.
func (s *Store) putChunk(put clientv3.Op) error {
	err := until(s.owner.lost, func() (bool, error) {
		ctx, cancel := context.WithTimeout(s.owner.lost, max(s.owner.ttl/4, time.Second))
		defer cancel()
		r, err := s.client.etcd.Txn(ctx).If(s.owner.mine()).Then(put).Commit()
		switch {
		case err != nil:
			return !refused(err), err
		case !r.Succeeded:
			s.owner.lose(fmt.Errorf("%w: another process has it", ErrLost))
		}
		return false, s.owner.err()
	})
	if lost := s.owner.err(); lost != nil {
		return lost
	}
	return err
}

// do makes the transaction happen, and returns when it is known whether it did.
//
// It happens at most once, however often it is sent, since it needs the head that it
// replaces. So when an answer is lost it is sent again: either it happens now, or it
// cannot, and the head says whether that is because it has happened before. Only when etcd
// refuses it after an answer was lost, the first one may still be under way: then we
// give up the state, which stops it or shows it to the next owner.
func (s *Store) do(a *attempt) error {
	unknown := false
	err := until(s.owner.lost, func() (again bool, err error) {
		err = s.try(a)
		if refused(err) && unknown {
			s.owner.lose(fmt.Errorf("%w: etcd refuses to say what became of a change: %w", ErrLost, err))
		}
		unknown = true
		return !refused(err) && s.owner.err() == nil, err
	})
	if lost := s.owner.err(); lost != nil && err != nil {
		return lost
	}
	return err
}

// try sends the transaction once. Nil says that it happened, now or when it was sent
// before. An error that is not a refusal says nothing.
func (s *Store) try(a *attempt) error {
	ctx, cancel := context.WithTimeout(s.owner.lost, max(s.owner.ttl/4, time.Second))
	defer cancel()
	r, err := s.client.etcd.Txn(ctx).
		If(s.owner.mine(), clientv3.Compare(clientv3.ModRevision(s.key("head")), "=", s.headRev)).
		Then(append(a.ops, clientv3.OpPut(s.key("head"), a.head))...).
		Else(clientv3.OpGet(s.key("head"))).Commit()
	if noSpace(err) {
		head, getErr := s.client.etcd.Get(ctx, s.key("head"))
		switch {
		case getErr != nil:
			return getErr
		case !s.happened(a, head.Kvs):
			return err
		}
		return nil
	}
	if err != nil {
		return err
	}
	if r.Succeeded {
		s.headRev = r.Header.Revision
		return nil
	}
	if s.happened(a, r.Responses[0].GetResponseRange().Kvs) {
		return nil
	}
	s.owner.lose(fmt.Errorf("%w: another process has it, or changed it", ErrLost))
	return s.owner.err()
}

// happened reports whether the head that was found is the attempt's.
func (s *Store) happened(a *attempt, found []*mvccpb.KeyValue) bool {
	if len(found) != 1 || string(found[0].Value) != a.head {
		return false
	}
	s.headRev = found[0].ModRevision
	return true
}
