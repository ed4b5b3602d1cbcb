package main

import (
	"encoding/json"
	"os"
	"strings"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/rogpeppe/go-internal/testscript"
)

// withFiles writes a manifest that has the files of another one, too, where it has none itself, and a
// text of the other: withfiles MANIFEST OTHER OUT TEXT PATH.
func withFiles(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 5 {
		ts.Fatalf("usage: withfiles MANIFEST OTHER OUT TEXT PATH")
	}
	var m [2]bootchain.Manifest
	for i := range m {
		var err error
		m[i], err = bootchain.ReadManifest(strings.NewReader(ts.ReadFile(args[i])))
		ts.Check(err)
	}
	files := m[0].Volumes[0].Files
	for path, f := range m[1].Volumes[0].Files {
		if _, there := files[path]; !there {
			files[path] = f
		}
	}
	data, err := json.Marshal(m[0])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), data, 0o644))
	ts.Check(os.WriteFile(ts.MkAbs(args[4]), []byte(m[1].Volumes[0].Files[args[3]].Text), 0o644))
}
