package grub

import (
	"os"
	"strings"
	"testing"
)

// docs/grub.md has each command that is modeled.
func TestEveryCommandIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/grub.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range commands {
		if !strings.Contains(string(doc), "`"+name+"`") {
			t.Errorf("docs/grub.md does not have the command %s", name)
		}
		if _, both := unmodeled[name]; both {
			t.Errorf("%s is modeled and not modeled", name)
		}
	}
}
