package store

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
)

// journal is a state file that frames are appended to.
type journal struct {
	file      file
	chain     *chain
	end, size int64
	nonces    nonces
}

// errFull says that a frame does not fit into what is left of the file.
var errFull = errors.New("the journal is full")

// nonces are random, and counted: no two frames have the same, whether they reached
// the disk or not, and whether a file of the past is put back or not.
type nonces struct {
	value [nonceSize]byte
	used  uint64
}

func newNonces() (n nonces) {
	rand.Read(n.value[:nonceSize-8])
	return n
}

func (n *nonces) next() []byte {
	binary.BigEndian.PutUint64(n.value[nonceSize-8:], n.used)
	n.used++
	return n.value[:]
}

// append makes the encoded records durable as the next frame. Errors: errFull, and
// nothing happened; or those of the file, which must not be appended to again then,
// since what it holds is unknown: a kernel that could not write a page may drop it,
// and say nothing at the next sync.
func (j *journal) append(records []byte) error {
	count, err := frameBlocks(records)
	if err != nil {
		return err
	}
	if int64(count)*blockSize > j.size-j.end {
		return errFull
	}
	blocks, next, err := j.chain.seal(j.nonces.next(), records)
	if err != nil {
		return err
	}
	if _, err := j.file.WriteAt(blocks, j.end); err != nil {
		return err
	}
	if err := j.file.Datasync(); err != nil {
		return err
	}
	j.chain, j.end = next, j.end+int64(len(blocks))
	return nil
}

// retract tries to take back a frame that append had an error with, so that what was
// answered as not done is not found done. It may not succeed; a frame that comes
// back is whole, or dropped as torn.
func (j *journal) retract() error {
	if _, err := j.file.WriteAt(make([]byte, j.size-j.end), j.end); err != nil {
		return err
	}
	return j.file.Datasync()
}

// fileSize returns the size of a new file whose first frame has count blocks: room
// for so many changes that writing it costs little for each.
func (o Options) fileSize(count int) (int64, error) {
	least := o.leastSize
	if least == 0 {
		least = 128 << 10
	}
	size := max(least, 4*blockSize*int64(count+1))
	if size > maxFile {
		return 0, fmt.Errorf("a state of %d blocks is too large", count)
	}
	return size, nil
}

// replaceJournal puts a new state file with the encoded records in the place of the
// one that there is, durably and at once.
func replaceJournal(dir files, records []byte, o Options) (j *journal, err error) {
	image, j, err := newImage(records, o)
	if err != nil {
		return nil, err
	}
	defer clear(image)
	if j.file, err = dir.Create(newFile); err != nil {
		return nil, err
	}
	if err := errors.Join(writeThrough(j.file, image), err); err != nil {
		// What is left of the file is overwritten by the next one.
		return nil, errors.Join(err, j.file.Close(), dir.Remove(newFile))
	}
	if err := dir.Rename(newFile, stateFile); err != nil {
		return nil, errors.Join(err, j.file.Close())
	}
	// A directory that cannot be synced may bring the old file back.
	if err := dir.Sync(); err != nil {
		return nil, errors.Join(err, j.file.Close())
	}
	return j, nil
}

// newImage returns a whole state file, and the journal for it, without its file.
func newImage(records []byte, o Options) ([]byte, *journal, error) {
	count, err := frameBlocks(records)
	if err != nil {
		return nil, nil, err
	}
	size, err := o.fileSize(count)
	if err != nil {
		return nil, nil, err
	}
	header, key, err := newHeader(size, o)
	if err != nil {
		return nil, nil, err
	}
	defer clear(key)
	j := &journal{size: size, nonces: newNonces()}
	first, err := newChain(header, key)
	if err != nil {
		return nil, nil, err
	}
	frame, next, err := first.seal(j.nonces.next(), records)
	if err != nil {
		return nil, nil, err
	}
	image := make([]byte, size)
	copy(image, header)
	copy(image[blockSize:], frame)
	clear(header)
	j.chain, j.end = next, int64(blockSize+len(frame))
	return image, j, nil
}

// writeThrough writes data, zeros included: a block that has been written once is
// written again without a change to where the file's blocks are.
func writeThrough(f file, data []byte) error {
	if _, err := f.WriteAt(data, 0); err != nil {
		return err
	}
	return f.Sync()
}
