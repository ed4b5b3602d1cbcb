package store

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
)

// Info describes a state, for people.
type Info struct {
	Version   int   // of the file's layout
	Encrypted bool  // with a key
	Size      int64 // of the file, in bytes
	// Free is how much of it is left for changes until it is written anew, in bytes.
	Free    int64
	Count   uint64       // as in the state, 0 when it was never counted
	Records []RecordInfo // by name
}

// RecordInfo describes a record.
type RecordInfo struct {
	Name string
	Size int // in bytes
}

// Inspect describes the state in dir, and says in refused what OpenDirectoryOptions
// would refuse it for with the same options. It changes nothing, not even a counter. It
// is an error when the state cannot be read; fs.ErrNotExist when there is none, with
// refused where there must be one.
func Inspect(dir string, o Options) (info Info, refused, err error) {
	dir = filepath.Clean(dir)
	if o, err = o.own(); err != nil {
		return Info{}, nil, err
	}
	defer clear(o.Key)
	files := osFiles{dir: dir}
	f, err := files.Open(stateFile)
	if errors.Is(err, fs.ErrNotExist) {
		_, refused = checkCount(nil, false, o)
		return Info{}, refused, err
	}
	if err != nil {
		return Info{}, nil, err
	}
	defer f.Close()
	lock, err := lockExclusive(files.path(lockFile))
	if err != nil {
		return Info{}, nil, err
	}
	defer lock.Close()
	found, size, err := readState(f, o)
	if err != nil {
		return Info{}, nil, err
	}
	info = Info{Version: found.version, Encrypted: found.encrypted, Size: size}
	if found.chain != nil {
		info.Free = size - found.end
	}
	if info.Count, err = count(found.records); err != nil {
		return Info{}, nil, err
	}
	_, refused = checkCount(found.records, true, o)
	for _, name := range slices.Sorted(maps.Keys(found.records)) {
		if !isOwn(name) {
			info.Records = append(info.Records, RecordInfo{name, len(found.records[name])})
		}
		clear(found.records[name])
	}
	return info, refused, nil
}
