package bootchain

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bootseal/bootseal/internal/efivars"
)

// Changes are what somebody is about to change of a machine before it boots the
// next time: the "what if" of a prediction.
type Changes struct {
	// DB and DBX are signature lists that are appended to db and dbx, with or
	// without the header of an authenticated update.
	DB, DBX [][]byte
	// MOK are certificates, in DER, that the owner enrolls in shim, and that
	// MokManager has added by then.
	MOK [][]byte
	// SbatPolicy is shim's variable: "latest", "automatic" or "delete", "" for none.
	SbatPolicy string
	// BootNext is a load option that is booted once, "Boot0003" or "0003"; "" for
	// none.
	BootNext string
}

// apply returns the variables with the changes. Errors name the change that
// cannot be read.
func (c Changes) apply(v variables) (variables, error) {
	out := variables{v.set.Clone(), v.complete}
	for _, change := range []struct {
		name  string
		lists [][]byte
	}{{"db", c.DB}, {"dbx", c.DBX}} {
		for _, list := range change.lists {
			had, _ := out.get(change.name, efivars.ImageSecurity)
			data, err := efivars.Append(had, list)
			if err != nil {
				return out, fmt.Errorf("update of %s: %w", change.name, err)
			}
			out.set.Put(change.name, efivars.ImageSecurity, data)
		}
	}
	if err := c.enroll(out); err != nil {
		return out, err
	}
	if c.SbatPolicy != "" {
		i := slices.Index([]string{"latest", "automatic", "delete"}, c.SbatPolicy)
		if i < 0 {
			return out, fmt.Errorf("SBAT policy %q: want latest, automatic or delete", c.SbatPolicy)
		}
		out.set.Put("SbatPolicy", efivars.Shim, []byte{byte(i + 1)})
	}
	if c.BootNext == "" {
		return out, nil
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(c.BootNext, "Boot"), 16, 16)
	if err != nil {
		return out, fmt.Errorf("BootNext %q: want the number of a load option, as Boot0003", c.BootNext)
	}
	if _, ok := out.bootOption(uint16(n)); !ok {
		return out, fmt.Errorf("BootNext: there is no load option %s", bootName(uint16(n)))
	}
	out.set.Put("BootNext", efivars.Global, binary.LittleEndian.AppendUint16(nil, uint16(n)))
	return out, nil
}

// enroll adds certificates behind those that the owner has already.
func (c Changes) enroll(v variables) error {
	var added []byte
	for i, der := range c.MOK {
		if len(der) == 0 || len(trimDER(der)) != len(der) || der[0] != 0x30 {
			return fmt.Errorf("machine owner's key %d: not a certificate in DER", i+1)
		}
		added = append(added, efivars.CertificateList(guidOf(efivars.Shim), der)...)
	}
	if added != nil {
		v.set.Put("MokList"+pendingSuffix, efivars.Shim, added)
	}
	return nil
}
