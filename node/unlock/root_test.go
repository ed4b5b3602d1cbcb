package unlock

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/bootseal/bootseal/node/kept"
	"github.com/bootseal/bootseal/node/volumes"
)

func TestCheckRoot(t *testing.T) {
	const uuid = "0a1b2c3d-1111-4222-8333-444455556666"
	elsewhere := fmt.Errorf("/root %w: it is on sdb1", kept.ErrElsewhere)
	same := &volumes.Note{Identity: volumes.FoundSame}
	for _, c := range []struct {
		name    string
		root    bool
		on      error
		note    *volumes.Note
		noteErr error
		want    error
	}{
		{"the enrolled one", true, nil, same, nil, nil},
		{"a machine whose root is on no volume", false, elsewhere, nil, fs.ErrNotExist, nil},
		{"another disk's", true, elsewhere, same, nil, ErrOtherRoot},
		{"a volume of the same UUID that somebody else opened", true, nil, nil, fs.ErrNotExist, ErrOtherRoot},
		{"a volume that was not held against the list", true, nil, &volumes.Note{Identity: volumes.FoundUnknown}, nil, ErrOtherRoot},
		{"cannot tell", true, fs.ErrPermission, same, nil, fs.ErrPermission},
	} {
		list := &volumes.List{Volumes: []volumes.Volume{{UUID: uuid, Name: "root", Root: c.root}, {UUID: "1" + uuid[1:], Name: "data"}}}
		err := checkRoot(list, func(got string) error {
			if got != uuid {
				t.Errorf("%s: asked about %s", c.name, got)
			}
			return c.on
		}, func(string) (*volumes.Note, error) { return c.note, c.noteErr })
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}
