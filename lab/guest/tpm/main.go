//go:build linux

// Command tpm runs in a guest of the lab and uses its TPM: it holds what a TPM keeps in memory
// and on disk, and says later whether all of it is as it was. It reads a word a line, and answers
// each with a line of JSON:
//
//	hold   takes keys, sessions, contexts, a hash in progress, and what is written
//	check  uses all of them, and leaves them as for the next check
//	busy   has the TPM work until the next word, on a chain of extends that must not lose one
//	keep   leaves what survives a machine's end, and says what that is
//	kept X checks what keep answered with X, before the machine ended
//	pcrs   answers with the boot's PCRs, as all do
//	end    is TPM2_Shutdown(CLEAR), as an operating system does
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxtpm"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "tpm:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	tpm, err := linuxtpm.Open("/dev/tpm0")
	if err != nil {
		return err
	}
	defer tpm.Close()
	return (&guest{tpm: tpm}).serve(in, out)
}

// answer is a line to the host.
type answer struct {
	Error string `json:"error,omitempty"` // what is not as it was, or could not be done
	// PCRs are the boot's, which the host compares itself: "sha256 0 HEX", sorted.
	PCRs []string `json:"pcrs,omitempty"`
	// Commands is how many there were while the TPM was busy.
	Commands int   `json:"commands,omitempty"`
	Kept     *kept `json:"kept,omitempty"`
}

// guest is a TPM with what is held in it.
type guest struct {
	tpm  transport.TPM
	held *held
	kept *kept
}

func (g *guest) serve(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	var stop func() answer
	for lines.Scan() {
		var a answer
		if stop != nil {
			a = stop()
			stop = nil
		}
		switch word, rest, _ := strings.Cut(strings.TrimSpace(lines.Text()), " "); {
		case word == "":
			continue
		case a.Error != "":
		case word == "busy" && g.held == nil:
			a.Error = "busy: nothing is held"
		case word == "busy":
			stop = g.work()
		default:
			err := g.do(word, rest, &a)
			if err != nil {
				a.Error = fmt.Sprintf("%s: %v", word, err)
			}
		}
		if err := json.NewEncoder(out).Encode(a); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (g *guest) do(word, rest string, a *answer) (err error) {
	switch word {
	case "hold":
		g.held, err = hold(g.tpm)
	case "check":
		err = g.held.check(g.tpm)
	case "keep":
		g.kept, err = keep(g.tpm)
		a.Kept = g.kept
	case "kept":
		var k kept
		if err = json.Unmarshal([]byte(rest), &k); err == nil {
			err = k.check(g.tpm)
		}
	case "pcrs": // which every answer has
	case "end":
		_, err = tpm2.Shutdown{ShutdownType: tpm2.TPMSUClear}.Execute(g.tpm)
		return err
	default:
		return fmt.Errorf("no such word")
	}
	if err == nil {
		a.PCRs, err = bootPCRs(g.tpm)
	}
	return err
}

// work has the TPM work until it is stopped: a chain of extends, each followed by another command.
func (g *guest) work() (stop func() answer) {
	end, done := make(chan struct{}), make(chan answer)
	go func() {
		var a answer
		for {
			select {
			case <-end:
				done <- a
				return
			default:
			}
			if a.Error == "" {
				if err := g.held.extend(g.tpm); err != nil {
					a.Error = fmt.Sprintf("busy, after %d commands: %v", a.Commands, err)
				}
				a.Commands += 2
			}
		}
	}()
	return func() answer { close(end); return <-done }
}
