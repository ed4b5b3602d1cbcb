package store

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Rekey encrypts the state with another key, for another instance, counted by another
// counter; or with no key, or not counted. A new file takes the old one's place at once:
// after a power cut the state is either what it was, or opens with the new options.
//
// The counter must be new, or have counted this state. The one that the state had is
// left in use, so that its old copies stay refused.
func (d *Directory) Rekey(o Options) error {
	o.leastSize = d.options.leastSize
	o, err := o.own()
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.records == nil {
		return ErrClosed
	}
	var c Count
	changes := make(map[string][]byte)
	if o.Counter == nil {
		changes[countRecord] = nil
	} else {
		state, err := count(d.records)
		if err != nil {
			return err
		}
		if c, err = o.Counter.Read(); err != nil {
			return fmt.Errorf("read the new counter: %w", err)
		}
		if c.InUse && judge(c, state, true) != nil {
			return errors.New("the new counter counts another state")
		}
		changes[countRecord] = binary.BigEndian.AppendUint64(nil, c.Value+1)
	}
	before := d.options
	d.options = o
	if err := d.rewrite(changes); err != nil {
		d.options = before
		return fmt.Errorf("write the TPM's state: %w", errors.Join(err, d.abandon(nil)))
	}
	clear(before.Key)
	if o.Counter == nil {
		return nil
	}
	d.counted = c
	if err := o.Counter.Advance(c.Value); err != nil {
		return fmt.Errorf("move the new counter: %w", d.recount(err))
	}
	d.counted.Value++
	return nil
}
