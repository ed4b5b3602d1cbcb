package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"sync"

	"github.com/bootseal/bootseal/vtpm/store/internal/record"
)

// What a state directory holds.
const (
	stateFile = "state"
	newFile   = "state.new" // on its way to be the state
	lockFile  = "lock"
)

// Directory is a state in a directory that no other process uses at the same
// time. A Commit appends what changed to a journal and syncs it: after a power cut
// each Commit that returned is there, and the last one is there as a whole or not
// at all.
//
// A Commit that returned an error did not happen, and the next one works when the
// disk does. Only if the process ends in between, and the disk fails to the last,
// may it turn out to have happened: as a whole, then.
type Directory struct {
	files files
	lock  io.Closer

	mu      sync.Mutex
	options Options
	records map[string][]byte // what is on disk; nil when closed
	journal *journal          // nil: there is no file to append to
	counted Count             // what the counter stands at
}

// OpenDirectory is OpenDirectoryOptions with the zero Options.
func OpenDirectory(dir string) (*Directory, error) {
	return OpenDirectoryOptions(dir, Options{})
}

// OpenDirectoryOptions opens the state in dir, which is created with mode 0700 when it
// does not exist. A state that is damaged is an error and stays as it is; so is one
// that another process has open, or that the key does not open. Opening writes
// nothing to the state, unless there is a counter.
//
// That the whole file is an older one of the same instance, or gone, is a
// *RollbackError with a counter, and is not noticed without.
func OpenDirectoryOptions(dir string, o Options) (*Directory, error) {
	return openPlace(osFiles{dir: dir}, o)
}

// OpenFile is OpenDirectoryOptions for a state that is a file, in a directory with other
// things in it. Beside it are files with its name: NAME.lock, and NAME.new while it is
// written anew. A symbolic link stands for the file that it leads to.
func OpenFile(path string, o Options) (*Directory, error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	return openPlace(osFiles{filepath.Dir(path), filepath.Base(path)}, o)
}

func openPlace(files osFiles, o Options) (*Directory, error) {
	if err := makeDirectory(filepath.Clean(files.dir)); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	lock, err := lockExclusive(files.path(lockFile))
	if err != nil {
		return nil, err
	}
	d, err := openFiles(files, lock, o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", files.path(stateFile), err), lock.Close())
	}
	return d, nil
}

func openFiles(dir files, lock io.Closer, o Options) (*Directory, error) {
	o, err := o.own()
	if err != nil {
		return nil, err
	}
	d := &Directory{files: dir, lock: lock, options: o, records: make(map[string][]byte)}
	exists, err := d.readFile()
	if err == nil {
		d.counted, err = checkCount(d.records, exists, o)
	}
	if err == nil && o.Counter != nil && !o.countLater {
		err = d.Count()
	}
	if err != nil {
		return nil, errors.Join(err, d.abandon(nil))
	}
	return d, nil
}

// readFile reads the state's file and reports whether there is one.
func (d *Directory) readFile() (exists bool, err error) {
	f, err := d.files.Open(stateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open the TPM's state: %w", err)
	}
	if err := d.read(f); err != nil {
		return false, errors.Join(err, f.Close())
	}
	return true, nil
}

// read takes over the file, or closes it when it cannot be appended to.
func (d *Directory) read(f file) error {
	found, size, err := readState(f, d.options)
	if err != nil {
		return err
	}
	d.records = found.records
	if found.chain == nil {
		return f.Close()
	}
	d.journal = &journal{file: f, chain: found.chain, end: found.end, size: size, nonces: newNonces()}
	return nil
}

// readState reads a state's file, and returns its size, too.
func readState(f file, o Options) (found contents, size int64, err error) {
	if size, err = f.Size(); err != nil {
		return contents{}, 0, fmt.Errorf("read the TPM's state: %w", err)
	}
	if size > maxFile {
		return contents{}, 0, fmt.Errorf("the state has %d bytes, more than any state of a vTPM", size)
	}
	data := make([]byte, size)
	defer clear(data)
	if n, err := f.ReadAt(data, 0); err != nil && !(errors.Is(err, io.EOF) && n == len(data)) {
		return contents{}, 0, fmt.Errorf("read the TPM's state: %w", err)
	}
	found, err = read(data, o)
	return found, size, err
}

// ErrInUse is the error of opening a state that another process has open.
var ErrInUse = errors.New("another process is using it")

// ErrClosed is the error of a Directory after Close.
var ErrClosed = errors.New("the TPM's state is closed")

// Load returns a copy of the records.
func (d *Directory) Load() (map[string][]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.records == nil {
		return nil, ErrClosed
	}
	all := make(map[string][]byte, len(d.records))
	for name, value := range d.records {
		if !isOwn(name) {
			all[name] = record.Clone(value)
		}
	}
	return all, nil
}

// Commit makes the changes durable, all or none.
func (d *Directory) Commit(changes map[string][]byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range changes {
		if isOwn(name) {
			return fmt.Errorf("write the TPM's state: the record %q is not the TPM's", name)
		}
	}
	return d.commit(changes)
}

func (d *Directory) commit(changes map[string][]byte) error {
	if d.records == nil {
		return ErrClosed
	}
	changes = record.Different(d.records, changes)
	if len(changes) == 0 && d.journal != nil {
		return nil
	}
	encoded, err := record.Encode(changes)
	if err != nil {
		return fmt.Errorf("write the TPM's state: %w", err)
	}
	defer clear(encoded)
	var appendErr error
	if d.journal != nil {
		if appendErr = d.journal.append(encoded); appendErr == nil {
			record.Apply(d.records, changes)
			return nil
		}
	}
	if err := d.rewrite(changes); err != nil {
		return fmt.Errorf("write the TPM's state: %w", errors.Join(ioError(appendErr), err, d.abandon(appendErr)))
	}
	return nil
}

// ioError leaves out that a journal is full: that is no error, if a new one can be
// written.
func ioError(err error) error {
	if errors.Is(err, errFull) {
		return nil
	}
	return err
}

// rewrite makes the changes durable in a new file with all records.
func (d *Directory) rewrite(changes map[string][]byte) error {
	all := maps.Clone(d.records)
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, value []byte) bool { return value == nil })
	encoded, err := record.Encode(all)
	if err != nil {
		return err
	}
	defer clear(encoded)
	j, err := replaceJournal(d.files, encoded, d.options)
	if err != nil {
		return err
	}
	if d.journal != nil {
		d.journal.file.Close() // nothing of it is wanted any more
	}
	d.journal = j
	record.Apply(d.records, changes)
	return nil
}

// abandon gives up the journal after a Commit that had an error: it may not be the
// state's file any more, or not hold what was written. The next Commit writes a
// new one.
func (d *Directory) abandon(appendErr error) error {
	if d.journal == nil {
		return nil
	}
	j := d.journal
	d.journal = nil
	if ioError(appendErr) == nil {
		return j.file.Close()
	}
	return errors.Join(j.retract(), j.file.Close())
}

// Close lets another process use the directory, and erases the records from memory.
// With a counter, the count moves once more; a power cut instead is no harm.
func (d *Directory) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.records == nil {
		return nil
	}
	var err error
	if d.options.Counter != nil && !d.options.countLater {
		err = d.countWith(nil)
	}
	record.Clear(d.records)
	clear(d.options.Key)
	d.records = nil
	return errors.Join(err, d.abandon(nil), d.lock.Close())
}
