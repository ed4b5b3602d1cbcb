package main

import (
	"os"
	"strings"
	"testing"
)

// The unit that is shipped starts the daemon with flags that it has.
func TestUnitFlags(t *testing.T) {
	unit, err := os.ReadFile("../../docs/bootseal-vtpm.service")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(unit)) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "ExecStart=/usr/bin/bootseal ")
		if !ok {
			continue
		}
		words := strings.Fields(command)
		serve, rest, err := (&app{}).command().Find(words)
		if err != nil {
			t.Fatal(err)
		}
		if err := serve.ParseFlags(rest); err != nil || serve.Name() != "serve" {
			t.Errorf("%s: %v", command, err)
		}
		return
	}
	t.Error("the unit starts nothing")
}
