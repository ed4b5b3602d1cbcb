package grub

import (
	"errors"
	"io/fs"
	"time"
)

// File is a file, or a folder, as GRUB addresses it.
type File struct {
	Device string // "hd0,gpt2"; never empty
	Path   string // "/boot/grub/grub.cfg"
}

// String returns GRUB's notation: (hd0,gpt2)/boot/grub/grub.cfg.
func (f File) String() string { return "(" + f.Device + ")" + f.Path }

// Info is what a folder says about an entry. A symbolic link is not followed,
// as in GRUB's own listings.
type Info struct {
	Name  string
	Dir   bool
	Size  int64
	Mtime time.Time // zero if the file system has none
}

// Device is what GRUB finds out about a disk or a partition.
type Device struct {
	FSUUID   string // as GRUB writes it: "CAFE-0001"
	Label    string // of the file system
	FS       string // GRUB's name: "fat", "ext2", "xfs", "btrfs"; "" if not known
	PartUUID string // of the GPT partition, lower case
	PartMap  string // "gpt", "msdos"; "" if not known
	Driver   string // "efidisk"; "" if not known
}

// By is what search looks for.
type By int

// What search looks for. The last three are Flatcar's.
const (
	ByFSUUID By = iota
	ByLabel
	ByFile
	ByPartUUID
	ByPartLabel
	ByDiskUUID
)

// Query is a search for a device.
type Query struct {
	By           By
	Key          string   // a UUID (in any case), a label or a path
	Hints        []string // devices that GRUB tries first; one that ends in a comma stands for its partitions
	NoFloppy     bool
	EFIDiskOnly  bool
	RootDiskOnly bool // only the disk of Root (Fedora's --root-dev-only)
	Root         string
}

// World is what GRUB can see. Its methods return an error that wraps
// [fs.ErrNotExist] for what does not exist and [ErrUnknown] for what the world
// cannot tell; other errors end the run. Paths on FAT and the like are found in
// any case of letters, as GRUB does.
type World interface {
	// Device describes a device.
	Device(name string) (Device, error)
	// Search returns the first device that matches, in GRUB's order: hints, then
	// all disks with their partitions.
	Search(q Query) (device string, err error)
	// Stat describes a file or a folder; the Info has a name.
	Stat(f File) (Info, error)
	// ReadDir lists a folder. ordered is whether the list has the order in which the
	// file system gives the names: GRUB opens files in that order, which PCR 9
	// remembers.
	ReadDir(dir File) (list []Info, ordered bool, err error)
	// ReadFile returns a file's contents. It is asked for texts that steer GRUB:
	// scripts, environment blocks, lists of modules, boot loader entries, modules.
	ReadFile(f File) ([]byte, error)
}

// ErrUnknown is what a World answers that cannot tell.
var ErrUnknown = errors.New("not known")

// notThere reports whether err says that a file does not exist.
func notThere(err error) bool { return errors.Is(err, fs.ErrNotExist) }
