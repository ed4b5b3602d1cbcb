package bootchain

import (
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/bootseal/bootseal/pcr"
)

const maxJoined = 64 // lists of initial ramdisks

// join computes the digests of initial ramdisks that a boot loader passes on
// together: those that an entry of type 1 lists.
func (v *Volume) join(fsys fs.FS, banks []pcr.Bank) error {
	for _, name := range v.below("/loader/entries") {
		e := parseEntry(name, v.Files[name].Text)
		if len(e.initrds) < 2 || len(v.Joined) >= maxJoined {
			continue
		}
		sums := newSums(banks)
		ok := true
		for _, initrd := range e.initrds {
			file, found, there := v.find(initrd, true)
			if ok = there; !ok {
				break
			}
			if err := appendFile(fsys, found, sums); err != nil {
				return fmt.Errorf("measure %s: %w", found, err)
			}
			sums.Write(make([]byte, padding(file.Size)))
		}
		if ok {
			if v.Joined == nil {
				v.Joined = make(map[string]map[pcr.Bank]pcr.Digest)
			}
			v.Joined[joinedKey(e.initrds)] = sums.digests()
		}
	}
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
