package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// realDemo has the lab play an upgrade without and with bootseal, on machines that boot. The lab
// is part of the sources, and not of this program.
func (a *app) realDemo(ctx context.Context, picture string) error {
	root, err := checkout(ctx)
	if err != nil {
		return err
	}
	for _, name := range []string{"qemu-system-x86_64", "qemu-img", "mmdebstrap", "fakeroot", "cryptsetup"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("boot machines: %s is not installed; as root, %s/lab/node/install installs what the lab needs", name, root)
		}
	}
	args := []string{"run", "./lab/node", "-beside", "-run", "^(sabotaged|upgrade)$"}
	if picture != "" {
		args = append(args, "-picture", picture)
	}
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir, c.Stdout, c.Stderr = root, a.out, a.err
	var failed *exec.ExitError
	if err := c.Run(); errors.As(err, &failed) && failed.ExitCode() == 1 {
		return &noError{"the story did not come out as told"}
	} else if err != nil {
		return fmt.Errorf("run the lab: %w", err)
	}
	return nil
}

// checkout returns the folder of bootseal's sources that this is run in.
func checkout(ctx context.Context) (string, error) {
	const remedy = "real machines are booted by the lab, which is in bootseal's sources: run this in a checkout, with Go installed"
	c := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Path}} {{.Dir}}")
	c.Env = append(os.Environ(), "GOWORK=off")
	out, err := c.Output()
	path, dir, ok := strings.Cut(strings.TrimSpace(string(out)), " ")
	if err != nil || !ok || path != "github.com/bootseal/bootseal" {
		return "", errors.New(remedy)
	}
	return dir, nil
}
