package unlock

import (
	"context"
	"os/exec"
	"strings"
	"time"
)

// plymouthTime is how long the splash screen may take to answer.
const plymouthTime = 2 * time.Second

// plymouth returns the path of plymouth's client where a splash screen hides the
// console, or "".
func plymouth(ctx context.Context) string {
	path, err := exec.LookPath("plymouth")
	if err != nil {
		return ""
	}
	ctx, stop := context.WithTimeout(ctx, plymouthTime)
	defer stop()
	if exec.CommandContext(ctx, path, "--ping").Run() != nil {
		return ""
	}
	return path
}

// showSplash shows lines above the splash screen's question. It holds the last few:
// screens have no more room.
func showSplash(ctx context.Context, client string, lines []string) {
	const most = 8
	lines = lines[max(0, len(lines)-most):]
	ctx, stop := context.WithTimeout(ctx, plymouthTime)
	defer stop()
	// The console has the same.
	_ = exec.CommandContext(ctx, client, "display-message", "--text="+strings.Join(lines, "\n")).Run()
}
