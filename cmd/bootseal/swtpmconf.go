package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/bootseal/bootseal/internal/bounded"
	"github.com/bootseal/bootseal/manufacture"
)

// swtpmConf is a configuration file of swtpm_setup or swtpm_localca: lines of key = value.
type swtpmConf struct {
	file   string // "": there is none
	values map[string]string
}

// readConf reads the configuration: the file that was asked for, or the one where swtpm_setup
// looks, if there is one.
func (f *setupFlags) readConf() (swtpmConf, error) {
	if f.config != "" {
		return readSwtpmConf(f.config)
	}
	for _, file := range []string{
		underConfig("XDG_CONFIG_HOME", ""), underConfig("HOME", ".config"), "/etc/swtpm_setup.conf",
	} {
		if file == "" {
			continue
		}
		c, err := readSwtpmConf(file)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return c, err
		}
	}
	return swtpmConf{}, nil
}

// underConfig returns the file's place under the directory that a variable names.
func underConfig(variable, below string) string {
	dir := os.Getenv(variable)
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, below, "swtpm_setup.conf")
}

func readSwtpmConf(file string) (swtpmConf, error) {
	content, err := bounded.ReadFile(file, maxSmallFile)
	if err != nil {
		return swtpmConf{}, fmt.Errorf("read the configuration: %w", err)
	}
	return swtpmConf{file, parseSwtpmConf(string(content), os.Getenv)}, nil
}

// parseSwtpmConf reads lines of key = value. As in swtpm, # begins a comment, ${NAME} is a
// variable of the environment, the first of two equal keys counts, and other lines are
// passed over.
func parseSwtpmConf(text string, env func(string) string) map[string]string {
	values := make(map[string]string)
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		key, value, ok := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		if _, twice := values[key]; !ok || twice {
			continue
		}
		values[key] = expandVariables(strings.TrimSpace(value), env)
	}
	return values
}

// expandVariables replaces ${NAME}, and leaves any other $ alone.
func expandVariables(s string, env func(string) string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "${")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			b.WriteString("${" + rest)
			return b.String()
		}
		b.WriteString(env(name))
		s = after
	}
}

// platform returns what the options for swtpm_localca say of the platform.
func (c swtpmConf) platform() (manufacture.Platform, error) {
	var p manufacture.Platform
	file := c.values["create_certs_tool_options"]
	if file == "" {
		return p, nil
	}
	content, err := bounded.ReadFile(file, maxSmallFile)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return p, nil // swtpm_localca does without it, too
	}
	if err != nil {
		return p, fmt.Errorf("%s: create_certs_tool_options: %w", c.file, err)
	}
	words := strings.Fields(string(content))
	for i := 0; i+1 < len(words); i++ {
		switch words[i] {
		case "--platform-manufacturer":
			p.Manufacturer = words[i+1]
		case "--platform-model":
			p.Model = words[i+1]
		case "--platform-version":
			p.Version = words[i+1]
		}
	}
	return p, nil
}

// maxSmallFile bounds configurations and certificates, in bytes.
const maxSmallFile = 64 << 10
