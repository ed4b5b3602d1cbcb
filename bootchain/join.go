package bootchain

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/bootseal/bootseal/pcr"
)

const maxJoined = 64 // lists of initial ramdisks

// join computes the digests of initial ramdisks that boot loaders pass on
// together: those that boot loader entries list, and those in GRUB's scripts.
func (v *Volume) join(fsys fs.FS, banks []pcr.Bank) error {
	for _, name := range v.below("/loader/entries") {
		initrds := parseEntry(name, v.Files[name].Text).initrds
		for _, j := range []join{plain, padded} {
			if err := v.joinOne(fsys, banks, initrds, j); err != nil {
				return err
			}
		}
	}
	for name, f := range v.Files {
		if path.Ext(name) != ".cfg" {
			continue
		}
		for line := range strings.Lines(f.Text) {
			words := strings.Fields(line)
			if len(words) > 2 && strings.HasPrefix(words[0], "initrd") {
				if err := v.joinOne(fsys, banks, words[1:], padded); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// joinOne computes the digests of one list, if all of its files are there.
func (v *Volume) joinOne(fsys fs.FS, banks []pcr.Bank, initrds []string, j join) error {
	if len(initrds) < 2 || len(v.Joined) >= maxJoined {
		return nil
	}
	var found []string
	for _, initrd := range initrds {
		_, name, ok := v.find(initrd, true)
		if !ok {
			return nil
		}
		found = append(found, name)
	}
	key := strings.Join(found, string(j))
	if _, ok := v.Joined[key]; ok {
		return nil
	}
	sums := newSums(banks)
	for i, name := range found {
		if err := appendFile(fsys, name, sums); err != nil {
			return fmt.Errorf("measure %s: %w", name, err)
		}
		if j == padded && i+1 < len(found) {
			sums.Write(make([]byte, padding(v.Files[name].Size)))
		}
	}
	if v.Joined == nil {
		v.Joined = make(map[string]map[pcr.Bank]pcr.Digest)
	}
	v.Joined[key] = sums.digests()
	return nil
}

func appendFile(fsys fs.FS, name string, to io.Writer) error {
	f, err := fsys.Open(strings.TrimPrefix(name, "/"))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(to, f)
	return err
}
