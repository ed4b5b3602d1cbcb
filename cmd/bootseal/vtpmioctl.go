package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) vtpmIoctl() *cobra.Command {
	return &cobra.Command{
		Use:   "ioctl --unix PATH|--tcp [HOST]:PORT COMMAND",
		Short: "Send one command to a vTPM's control channel, as swtpm_ioctl does",
		Long: `Send one command to the control channel of a vTPM, bootseal's or swtpm:

  -c                  print the capabilities
  -i                  start the TPM; it resumes where a volatile state was left, once
  --stop              stop the TPM
  -s                  stop the TPM and end its process
  -e                  print TPM_ESTABLISHED
  -r LOCALITY         reset TPM_ESTABLISHED at locality 3 or 4
  -l LOCALITY         set the locality of the commands that follow
  -h DATA             measure data as a dynamic launch; - reads it from standard input
  -v                  leave the volatile state in the TPM's state, for -i
  -C                  cancel the command in flight
  -g                  print which keys are in use
  -b BYTES            set the size of the buffer; 0 prints it
  --info FLAGS        print what the TPM says of itself, as JSON
  --save KIND FILE    fetch the permanent, volatile or savestate state
  --load KIND FILE    put it into a TPM that is stopped
  --lock-storage N    take hold of the state, with N further attempts`,
		Example:            "  bootseal vtpm ioctl --unix /run/vm0/tpm -i\n  bootseal vtpm ioctl --tcp :6546 --save permanent backup",
		DisableFlagParsing: true, // -h is a command
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || args[0] == "--help" {
				return cmd.Help()
			}
			return a.ioctl(args)
		},
	}
}

// ioctl sends the command that the arguments have, in any order, over the control channel
// that they name.
func (a *app) ioctl(args []string) error {
	network, where, command := "", "", []string(nil)
	for len(args) > 0 {
		arg, values := args[0], 1
		switch arg {
		case "--unix", "--tcp":
			if len(args) < 2 || network != "" {
				return fmt.Errorf("%s: say one place, such as --unix PATH", arg)
			}
			network, where = strings.TrimPrefix(arg, "--"), args[1]
		case "--tpm-device":
			return errors.New("--tpm-device is for a CUSE device, which bootseal does not have")
		default:
			n, known := controlArguments[arg]
			switch {
			case !known:
				return fmt.Errorf("unknown command %q; see --help", arg)
			case command != nil:
				return fmt.Errorf("%s and %s: one command at a time", command[0], arg)
			case len(args) <= n:
				return fmt.Errorf("%s needs %d arguments; see --help", arg, n)
			}
			values, command = n, args[:n+1]
		}
		args = args[values+1:]
	}
	if network == "" || where == "" || command == nil {
		return errors.New("say where and what: --unix PATH or --tcp [HOST]:PORT, and a command; see --help")
	}
	if network == "tcp" {
		where = controlAddress(where)
	}
	conn, err := net.Dial(network, where)
	if err != nil {
		return fmt.Errorf("connect to the control channel: %w", err)
	}
	defer conn.Close()
	return a.control(control{conn}, command[0], command[1:])
}

// controlAddress adds what swtpm_ioctl has for a host or port that is not said.
func controlAddress(where string) string {
	if strings.HasPrefix(where, ":") {
		where = "127.0.0.1" + where
	}
	if !strings.Contains(where, ":") {
		where += ":6546"
	}
	return where
}

// controlArguments says how many arguments each command has.
var controlArguments = map[string]int{
	"-c": 0, "-i": 0, "--stop": 0, "-s": 0, "-e": 0, "-v": 0, "-C": 0, "-g": 0,
	"-r": 1, "-l": 1, "-h": 1, "-b": 1, "--info": 1, "--lock-storage": 1, "--save": 2, "--load": 2,
}

// control sends the command and prints what it asks for.
func (a *app) control(c control, command string, args []string) error {
	switch command {
	case "-c":
		return a.print(c, "ptm capability is 0x%x\n", 1)
	case "-i":
		return c.do(2, 1)
	case "-s":
		return c.do(3)
	case "-e":
		reply, err := c.ask(4, 4)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.out, "tpmEstablished is %d\n", reply[0])
		return err
	case "-h":
		return a.controlHash(c, args[0])
	case "-C":
		return c.do(9)
	case "-v":
		return c.do(10)
	case "--stop":
		return c.do(14)
	case "-g":
		return a.print(c, "ptm configuration flags: 0x%x\n", 15)
	case "--save":
		return c.save(args[0], args[1])
	case "--load":
		return c.load(args[0], args[1])
	}
	number, err := strconv.ParseUint(args[0], 0, 32)
	if err != nil {
		return fmt.Errorf("%s %s: no number", command, args[0])
	}
	return a.controlNumber(c, command, uint32(number))
}

// controlNumber sends the commands whose argument is a number.
func (a *app) controlNumber(c control, command string, n uint32) error {
	switch command {
	case "-r":
		return c.do(11, n<<24)
	case "-l":
		return c.do(5, n<<24)
	case "--lock-storage":
		return c.do(19, n)
	case "-b":
		reply, err := c.ask(12, 17, n)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.out, "TPM buffersize: %d\nminimum size  : %d\nmaximum size  : %d\n",
			binary.BigEndian.Uint32(reply), binary.BigEndian.Uint32(reply[4:]), binary.BigEndian.Uint32(reply[8:]))
		return err
	}
	var text []byte
	for { // --info, a piece at a time
		reply, err := c.ask(8, 18, 0, n, uint32(len(text)), 0)
		if err != nil {
			return err
		}
		piece, err := c.read(reply[4:])
		if err != nil {
			return err
		}
		text = append(text, piece...)
		if len(piece) == 0 || len(text) >= int(binary.BigEndian.Uint32(reply)) {
			break
		}
	}
	_, err := fmt.Fprintln(a.out, strings.TrimRight(string(text), "\x00"))
	return err
}

// print prints the number that a message is answered with.
func (a *app) print(c control, format string, code uint32) error {
	reply, err := c.ask(4, code)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, format, binary.BigEndian.Uint32(reply))
	return err
}

// controlHash measures data as a dynamic launch.
func (a *app) controlHash(c control, data string) error {
	if data == "-" {
		all, err := io.ReadAll(a.in)
		if err != nil {
			return err
		}
		data = string(all)
	}
	if err := c.do(6); err != nil {
		return err
	}
	const most = 4096 // what one message of swtpm has
	for len(data) > 0 {
		n := min(len(data), most)
		if err := c.send(7, []byte(data[:n]), uint32(n)); err != nil {
			return err
		}
		data = data[n:]
	}
	return c.do(8)
}

// control is a connection to a control channel (swtpm, tpm_ioctl.h).
type control struct{ net.Conn }

// stateKinds are the types of state blobs.
var stateKinds = map[string]uint32{"permanent": 1, "volatile": 2, "savestate": 3}

func (c control) save(kind, name string) error {
	k, ok := stateKinds[kind]
	if !ok {
		return fmt.Errorf("there is no %q state: it is permanent, volatile or savestate", kind)
	}
	reply, err := c.ask(12, 12, 0, k, 0)
	if err != nil {
		return err
	}
	blob, err := c.read(reply[8:])
	if err != nil {
		return err
	}
	return os.WriteFile(name, blob, 0o600)
}

// load puts the state in a file into the TPM, which can tell whether it is encrypted.
func (c control) load(kind, name string) error {
	k, ok := stateKinds[kind]
	if !ok {
		return fmt.Errorf("there is no %q state: it is permanent, volatile or savestate", kind)
	}
	blob, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return c.send(13, blob, 0, k, uint32(len(blob)))
}

// do sends a message that has no answer but its result.
func (c control) do(code uint32, fields ...uint32) error {
	_, err := c.ask(0, code, fields...)
	return err
}

// ask sends a message and returns size bytes of answer after the result.
func (c control) ask(size int, code uint32, fields ...uint32) ([]byte, error) {
	if err := c.send(code, nil, fields...); err != nil {
		return nil, err
	}
	reply := make([]byte, size)
	_, err := io.ReadFull(c, reply)
	return reply, err
}

// send sends a message, and reads the result.
func (c control) send(code uint32, data []byte, fields ...uint32) error {
	message := binary.BigEndian.AppendUint32(nil, code)
	for _, f := range fields {
		message = binary.BigEndian.AppendUint32(message, f)
	}
	if _, err := c.Write(append(message, data...)); err != nil {
		return err
	}
	var result [4]byte
	if _, err := io.ReadFull(c, result[:]); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if n := binary.BigEndian.Uint32(result[:]); n != 0 {
		return fmt.Errorf("the TPM refuses message %#x with result %#x (%s)", code, n, controlResult(n))
	}
	return nil
}

// read reads as many bytes as the big-endian number says.
func (c control) read(size []byte) ([]byte, error) {
	n := binary.BigEndian.Uint32(size)
	if n > 64<<20 {
		return nil, fmt.Errorf("the answer has %d bytes", n)
	}
	data := make([]byte, n)
	_, err := io.ReadFull(c, data)
	return data, err
}

func controlResult(n uint32) string {
	switch n {
	case 3:
		return "bad parameter"
	case 9:
		return "it failed: its log has the reason"
	case 10:
		return "unknown, or not while the TPM is running or stopped"
	case 13:
		return "the state is encrypted, and there is no migration key"
	case 61:
		return "bad locality"
	}
	return "TPM 1.2 has the meaning"
}
