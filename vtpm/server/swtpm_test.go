package server_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// Messages of the control channel, as a client knows them.
const (
	ctlCapability, ctlInit, ctlShutdown, ctlGetEstablished = 1, 2, 3, 4
	ctlSetLocality, ctlHashStart, ctlHashData, ctlHashEnd  = 5, 6, 7, 8
	ctlCancel, ctlStoreVolatile, ctlResetEstablished       = 9, 10, 11
	ctlGetBlob, ctlSetBlob, ctlStop, ctlGetConfig          = 12, 13, 14, 15
	ctlSetDataFD, ctlSetBuffer, ctlGetInfo, ctlLock        = 16, 17, 18, 19

	badParameter, ctlFailed, badOrdinal, badKey, ctlIOError, badLocality = 3, 9, 10, 13, 31, 61
)

// vm is a VM's end of a control and a data channel.
type vm struct {
	control, data *client
	done          <-chan error
	store         *server.NVSwitch
}

// newVM serves a TPM over swtpm's protocol, as it is asked for by a VM that passes the
// data channel's socket.
func newVM(t *testing.T, o server.SwtpmOptions) *vm {
	t.Helper()
	v := &vm{store: new(server.NVSwitch)}
	if o.Open == nil {
		o.Open = func() (*vtpm.TPM, io.Closer, error) {
			tpm, err := vtpm.New(vtpm.Options{Store: v.store, Entropy: vtpmtest.Entropy()})
			return tpm, nil, err
		}
	}
	var err error
	if o.Control, err = net.Listen("unix", filepath.Join(t.TempDir(), "control")); err != nil {
		t.Fatal(err)
	}
	addr := o.Control.Addr()
	s, err := server.NewSwtpm(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx); close(done) }()
	v.done = done
	v.control = dial(t, addr)
	t.Cleanup(func() {
		cancel()
		if err := <-v.done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	v.data = v.passData(t)
	return v
}

// passData passes one end of a socket pair as the data channel, and returns the other.
func (v *vm) passData(t *testing.T) *client {
	t.Helper()
	return v.passKind(t, syscall.SOCK_STREAM)
}

// passKind passes a socket of a kind; a data channel that was closed may not be gone yet.
func (v *vm) passKind(t *testing.T, kind int) *client {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, kind, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fds[1])
	f := os.NewFile(uintptr(fds[0]), "data")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	for {
		message := binary.BigEndian.AppendUint32(nil, ctlSetDataFD)
		if _, _, err := v.control.Conn.(*net.UnixConn).WriteMsgUnix(message, syscall.UnixRights(fds[1]), nil); err != nil {
			t.Fatal(err)
		}
		switch result := v.control.u32(); result {
		case 0:
			return &client{t, conn}
		case ctlIOError: // the last one is still there
		default:
			t.Fatalf("pass the data channel: result %d", result)
		}
	}
}

// message returns a message of numbers.
func ctlMessage(code uint32, fields ...uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, code)
	for _, f := range fields {
		b = binary.BigEndian.AppendUint32(b, f)
	}
	return b
}

// tell sends a message and returns the result.
func (v *vm) tell(code uint32, fields ...uint32) uint32 {
	v.control.t.Helper()
	v.control.write(ctlMessage(code, fields...))
	return v.control.u32()
}

// must sends a message whose result is to be success.
func (v *vm) must(code uint32, fields ...uint32) {
	v.control.t.Helper()
	if result := v.tell(code, fields...); result != 0 {
		v.control.t.Fatalf("message %#x: result %#x", code, result)
	}
}

func (v *vm) run(cmd []byte) uint32 {
	v.data.t.Helper()
	v.data.write(cmd)
	return binary.BigEndian.Uint32(v.data.response()[6:])
}

func (v *vm) fetch(kind uint32) []byte {
	v.control.t.Helper()
	v.must(ctlGetBlob, 0, kind, 0)
	v.control.u32() // flags
	total, size := v.control.u32(), v.control.u32()
	if total != size {
		v.control.t.Fatalf("blob %d: %d bytes of %d: QEMU takes them all at once", kind, size, total)
	}
	return v.control.read(int(size))
}

// put sends a blob as QEMU does: header and body in two writes, with one answer.
func (v *vm) put(flags, kind uint32, blob []byte) uint32 {
	v.control.t.Helper()
	v.control.write(ctlMessage(ctlSetBlob, flags, kind, uint32(len(blob))))
	if len(blob) > 0 {
		v.control.write(blob)
	}
	return v.control.u32()
}

// QEMU's way: pass the data channel, probe it before INIT, ask for the capabilities,
// start the TPM, and stop it with the VM.
func TestSwtpmAsQEMUStartsIt(t *testing.T) {
	v := newVM(t, server.SwtpmOptions{Terminate: true})
	if rc := v.run(getRandom); rc != 0x101 {
		t.Errorf("a command before INIT: %#x, want TPM_RC_FAILURE", rc)
	}
	v.must(ctlCapability)
	if caps := v.control.u32(); caps != 0x1FFFF {
		t.Errorf("capabilities %#x", caps)
	}
	v.must(ctlSetBuffer, 3968)
	if size, least, most := v.control.u32(), v.control.u32(), v.control.u32(); size != 3968 || least > size || most < size {
		t.Errorf("buffer size %d of %d to %d", size, least, most)
	}
	v.must(ctlInit, 0)
	v.must(ctlGetEstablished)
	if established := v.control.read(4); established[0] != 0 {
		t.Error("TPM_ESTABLISHED is set on a new TPM")
	}
	if rc := v.run(startup); rc != 0 {
		t.Fatalf("startup: %#x", rc)
	}
	if rc := v.run(getRandom); rc != 0 {
		t.Errorf("get random: %#x", rc)
	}
	v.data.Close()
	if err := <-v.done; err != nil {
		t.Errorf("serve after the VM ended: %v", err)
	}
}

// What a message asks for has its state of the TPM.
func TestSwtpmOrder(t *testing.T) {
	v := newVM(t, server.SwtpmOptions{})
	for _, code := range []uint32{ctlGetEstablished, ctlHashStart, ctlHashEnd, ctlCancel, ctlStoreVolatile} {
		if result := v.tell(code); result != badOrdinal {
			t.Errorf("message %#x before INIT: result %#x", code, result)
		}
	}
	v.must(ctlInit, 0)
	if result := v.put(0, 3, nil); result != badOrdinal {
		t.Errorf("a state for a TPM that runs: result %#x", result)
	}
	if result := v.tell(ctlSetBuffer, 4096); result != badOrdinal {
		t.Errorf("another buffer size for a TPM that runs: result %#x", result)
	}
	v.must(ctlStop)
	if rc := v.run(getRandom); rc != 0x101 {
		t.Errorf("a command after STOP: %#x", rc)
	}
	if result := v.tell(99); result != badOrdinal {
		t.Errorf("an unknown message: result %#x", result)
	}
}

// The locality of a message may be padded to four bytes, as QEMU's is, or not.
func TestSwtpmLocality(t *testing.T) {
	v := newVM(t, server.SwtpmOptions{Init: true, Startup: startup})
	reset20 := []byte{0x80, 0x02, 0, 0, 0, 27, 0, 0, 0x01, 0x3D, 0, 0, 0, 20, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0}
	for locality, want := range []uint32{0x907, 0x907, 0, 0x907} { // TPM_RC_LOCALITY
		v.must(ctlSetLocality, uint32(locality)<<24)
		if rc := v.run(reset20); rc != want {
			t.Errorf("PCR_Reset of PCR 20 at locality %d: %#x, want %#x", locality, rc, want)
		}
	}
	v.control.write([]byte{0, 0, 0, ctlSetLocality, 2})
	if result := v.control.u32(); result != 0 {
		t.Errorf("a locality of one byte: result %#x", result)
	}
	if rc := v.run(reset20); rc != 0 {
		t.Errorf("PCR_Reset after that: %#x", rc)
	}
	if result := v.tell(ctlSetLocality, 5<<24); result != badLocality {
		t.Errorf("locality 5: result %#x", result)
	}
}

// Locality 4 can be denied, over each of the three ways to set a locality.
func TestSwtpmRejectsLocality4(t *testing.T) {
	v := newVM(t, server.SwtpmOptions{Init: true, Startup: startup, RejectLocality4: true, AllowSetLocality: true})
	if result := v.tell(ctlSetLocality, 4<<24); result != badLocality {
		t.Errorf("SET_LOCALITY: result %#x", result)
	}
	vendor := []byte{0x80, 0x01, 0, 0, 0, 11, 0x20, 0, 0x10, 0, 3}
	if rc := v.run(vendor); rc != 0 {
		t.Errorf("the vendor command with locality 3: %#x", rc)
	}
	vendor[10] = 4
	if rc := v.run(vendor); rc != 0x907 {
		t.Errorf("the vendor command with locality 4: %#x", rc)
	}
	v.data.write(append([]byte{0, 0, 0, 8, 4, 0, 0, 0, 12}, getRandom...))
	if answer := v.data.read(18); binary.BigEndian.Uint32(answer[10:]) != 0x907 {
		t.Errorf("a header with locality 4: %x", answer)
	}
}

// Firmware tells a TPM 1.2 from a TPM 2.0 by the tag of the response to a command of
// TPM 1.2.
func TestSwtpmIsNoTPM12(t *testing.T) {
	v := newVM(t, server.SwtpmOptions{Init: true, Startup: startup})
	v.data.write([]byte{0x00, 0xC1, 0, 0, 0, 10, 0, 0, 0, 0xF1}) // TPM_GetTicks
	if response := v.data.response(); response[0] != 0x80 || response[1] != 0x01 {
		t.Errorf("response %x", response)
	}
}

// A command may have the simulator's header; then the response has a frame, too.
func TestSwtpmSendCommandHeader(t *testing.T) {
	v := newVM(t, server.SwtpmOptions{Init: true, Startup: startup})
	v.data.write(append([]byte{0, 0, 0, 8, 0, 0, 0, 0, 12}, getRandom...))
	if size := v.data.u32(); size != 20 {
		t.Fatalf("size %d", size)
	}
	if response := v.data.response(); len(response) != 20 {
		t.Errorf("response %x", response)
	}
	if end := v.data.u32(); end != 0 {
		t.Errorf("the frame ends with %x", end)
	}
}

// A dynamic launch goes to PCR 17 and sets TPM_ESTABLISHED until locality 3 or 4
// takes it back.
func TestSwtpmDynamicLaunch(t *testing.T) {
	v := newVM(t, server.SwtpmOptions{Init: true, Startup: startup})
	v.data.write(readPCR17)
	before := v.data.response()
	v.must(ctlHashStart)
	v.control.write(append(ctlMessage(ctlHashData, 4), "code"...))
	if result := v.control.u32(); result != 0 {
		t.Fatalf("HASH_DATA: result %#x", result)
	}
	v.must(ctlHashEnd)
	v.data.write(readPCR17)
	if after := v.data.response(); bytes.Equal(after, before) {
		t.Error("PCR 17 did not change")
	}
	established := func() byte {
		v.must(ctlGetEstablished)
		return v.control.read(4)[0]
	}
	if established() != 1 {
		t.Error("not established after a launch")
	}
	if result := v.tell(ctlResetEstablished, 0); result != badLocality || established() != 1 {
		t.Errorf("reset at locality 0: result %#x", result)
	}
	v.must(ctlResetEstablished, 3<<24)
	if established() != 0 {
		t.Error("still established after a reset")
	}
}

// Migration as QEMU does it: the blobs in this order into a TPM that was made new,
// then INIT. The guest goes on without a TPM2_Startup, with its PCRs.
func TestSwtpmMigration(t *testing.T) {
	for name, key := range map[string][]byte{"plain": nil, "encrypted": bytes.Repeat([]byte{7}, 32)} {
		t.Run(name, func(t *testing.T) {
			source := newVM(t, server.SwtpmOptions{Init: true, Startup: startup, MigrationKey: key})
			extend := append([]byte{0x80, 0x02, 0, 0, 0, 65, 0, 0, 0x01, 0x82, 0, 0, 0, 0, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0x0B},
				bytes.Repeat([]byte{1}, 32)...)
			if rc := source.run(extend); rc != 0 {
				t.Fatalf("extend: %#x", rc)
			}
			source.data.write(readPCR0)
			before := source.data.response()
			target := newVM(t, server.SwtpmOptions{MigrationKey: key})
			var flags uint32
			if key != nil {
				flags = 2
			}
			for kind := uint32(1); kind <= 3; kind++ {
				blob := source.fetch(kind)
				if key != nil && bytes.Contains(blob, []byte(" state\n\x00")) {
					t.Error("the blob is not encrypted")
				}
				if kind == 2 {
					flags = 0 // as swtpm_ioctl, which has the blob from a file
				}
				if result := target.put(flags, kind, blob); result != 0 {
					t.Fatalf("blob %d: result %#x", kind, result)
				}
			}
			target.must(ctlInit, 1)
			target.data.write(readPCR0)
			if after := target.data.response(); !bytes.Equal(after, before) {
				t.Errorf("PCR 0 after the migration: %x, was %x", after, before)
			}
			// The volatile state was for this INIT.
			target.must(ctlStop)
			target.must(ctlInit, 0)
			if rc := target.run(getRandom); rc != rcInitialize {
				t.Errorf("a command after another INIT: %#x, want TPM_RC_INITIALIZE", rc)
			}
		})
	}
}

// A state that is none is refused, and the TPM keeps the one that it has.
func TestSwtpmRefusesBlobs(t *testing.T) {
	reported := make(chan string, 16)
	v := newVM(t, server.SwtpmOptions{Report: func(err error) { reported <- err.Error() }})
	v.must(ctlInit, 0)
	permanent := v.fetch(1)
	v.must(ctlStop)
	for name, c := range map[string]struct {
		flags, kind uint32
		blob        []byte
		want        uint32
	}{
		"no state":           {0, 1, []byte("state"), badParameter},
		"damaged":            {0, 1, permanent[:len(permanent)-1], badParameter},
		"of another kind":    {0, 2, permanent, badParameter},
		"saved state of 1.2": {0, 3, []byte{1}, badParameter},
		"unknown kind":       {0, 4, nil, badParameter},
		"empty":              {0, 1, nil, badParameter},
		"without the key":    {2, 1, permanent, badKey},
	} {
		if result := v.put(c.flags, c.kind, c.blob); result != c.want {
			t.Errorf("%s: result %#x, want %#x", name, result, c.want)
		}
	}
	said := ""
	for len(reported) > 0 {
		said += <-reported + "\n"
	}
	if !strings.Contains(said, "damaged") && !strings.Contains(said, "cut short") {
		t.Errorf("reported: %q", said)
	}
	v.must(ctlInit, 0)
	if rc := v.run(startup); rc != 0 {
		t.Errorf("startup after that: %#x", rc)
	}
}

// A blob can be fetched in pieces, each from an offset.
func TestSwtpmBlobOffset(t *testing.T) {
	v := newVM(t, server.SwtpmOptions{Init: true, Startup: startup})
	whole := v.fetch(2)
	v.must(ctlGetBlob, 0, 2, 100)
	v.control.u32()
	total, size := v.control.u32(), v.control.u32()
	if total != size || int(size) != len(whole)-100 || !bytes.Equal(v.control.read(int(size)), whole[100:]) {
		t.Errorf("from offset 100: %d of %d bytes, want %d of %d", size, total, len(whole)-100, len(whole))
	}
	v.must(ctlGetBlob, 0, 2, 1<<30)
	if answer := v.control.read(12); binary.BigEndian.Uint32(answer[8:]) != 0 {
		t.Errorf("from beyond the end: %x", answer)
	}
}

// GET_INFO has what tools for certificates look for.
func TestSwtpmInfo(t *testing.T) {
	v := newVM(t, server.SwtpmOptions{})
	v.must(ctlGetInfo, 0, 0xFF, 0, 0)
	v.control.u32()
	text := v.control.read(int(v.control.u32()))
	var info server.Info
	if err := json.Unmarshal(bytes.TrimRight(text, "\x00"), &info); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if info.Specification.Family != "2.0" || info.Attributes.Manufacturer == "" || info.Commands.Implemented == "" {
		t.Errorf("%s", text)
	}
	if info.ActiveProfile.Name != "pcclient" || len(info.Profiles) != 2 {
		t.Errorf("profiles in %s", text)
	}
	v.must(ctlGetInfo, 0, 1, 5, 0)
	total, size := v.control.u32(), v.control.u32()
	if v.control.read(int(size)); total != size+5 {
		t.Errorf("from offset 5: %d of %d bytes", size, total)
	}
	if result := v.tell(ctlGetInfo, 0, 1, 1<<20, 0); result != badParameter {
		t.Errorf("from beyond the end: result %#x", result)
	}
}

// STORE_VOLATILE is a suspend: the next process resumes with INIT.
func TestSwtpmStoreVolatile(t *testing.T) {
	v := newVM(t, server.SwtpmOptions{Init: true, Startup: startup})
	v.must(ctlStoreVolatile)
	v.must(ctlShutdown)
	if err := <-v.done; err != nil {
		t.Fatalf("serve: %v", err)
	}
	next := newVM(t, server.SwtpmOptions{Open: func() (*vtpm.TPM, io.Closer, error) {
		tpm, err := vtpm.New(vtpm.Options{Store: v.store})
		return tpm, nil, err
	}})
	next.must(ctlInit, 1)
	if rc := next.run(getRandom); rc != 0 {
		t.Errorf("get random after the resume: %#x", rc)
	}
}

// A guest that is reset without TPM2_Shutdown is shut down in order: with DA-protected
// objects in use it would count as a failed authorization. The option ends that.
func TestSwtpmShutsDownInOrder(t *testing.T) {
	for _, off := range []bool{false, true} {
		v := newVM(t, server.SwtpmOptions{Init: true, Startup: startup, NoAutoShutdown: off})
		v.run(getRandom)
		v.must(ctlInit, 0)
		v.run(startup)
		clock := []byte{0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x81}
		v.data.write(clock)
		if safe := v.data.response()[10+24]; (safe == 1) == off {
			t.Errorf("without automatic shutdown %v: the clock's safe is %d", off, safe)
		}
	}
}

// The state of an incoming migration is opened when a client wants it, and another
// process may still have it then.
func TestSwtpmLockStorage(t *testing.T) {
	var attempts atomic.Int32
	v := newVM(t, server.SwtpmOptions{Incoming: true, Open: func() (*vtpm.TPM, io.Closer, error) {
		if attempts.Add(1) < 3 {
			return nil, nil, errors.New("another process is using it")
		}
		tpm, err := vtpm.New(vtpm.Options{})
		return tpm, nil, err
	}})
	// What QEMU says and asks before the VM comes in.
	v.must(ctlSetBuffer, 3500)
	if size := v.control.u32(); size != 3500 || v.control.u32() != 3072 || v.control.u32() != 4096 {
		t.Errorf("the buffer has %d bytes", size)
	}
	if attempts.Load() != 0 {
		t.Error("the state was opened at once")
	}
	if result := v.tell(ctlLock, 0); result != ctlFailed {
		t.Errorf("lock without patience: result %#x", result)
	}
	v.must(ctlLock, 5)
	v.must(ctlInit, 0)
	v.must(ctlLock, 0) // it is locked already
	v.must(ctlSetBuffer, 0)
	if size := v.control.u32(); size != 3500 || v.control.u32() != 3072 || v.control.u32() != 4096 {
		t.Errorf("the buffer of the TPM has %d bytes", size)
	}
}

// A migration that takes the state away leaves it closed for the process that has it
// next.
func TestSwtpmReleasesTheState(t *testing.T) {
	closed := new(closer)
	v := newVM(t, server.SwtpmOptions{Outgoing: true, Open: func() (*vtpm.TPM, io.Closer, error) {
		tpm, err := vtpm.New(vtpm.Options{})
		return tpm, closed, err
	}})
	v.must(ctlInit, 0)
	for kind := uint32(1); kind <= 3; kind++ {
		if closed.Load() {
			t.Errorf("closed before blob %d", kind)
		}
		v.fetch(kind)
	}
	if !closed.Load() {
		t.Error("not closed")
	}
	if rc := v.run(getRandom); rc != 0x101 {
		t.Errorf("a command after that: %#x", rc)
	}
}

type closer struct{ atomic.Bool }

func (c *closer) Close() error { c.Store(true); return nil }

// A message that announces too much is refused before it is read, and ends the
// connection; other clients are not touched.
func TestSwtpmHugeMessage(t *testing.T) {
	v := newVM(t, server.SwtpmOptions{})
	other := dial(t, v.control.RemoteAddr())
	if result := v.tell(ctlSetBlob, 0, 1, 0xFFFFFFFF); result != badParameter {
		t.Errorf("result %#x", result)
	}
	if _, err := v.control.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the connection goes on: %v", err)
	}
	other.write(ctlMessage(ctlCapability))
	if result := other.u32(); result != 0 {
		t.Errorf("another client: result %#x", result)
	}
}

func (c *client) u32() uint32 {
	c.t.Helper()
	return binary.BigEndian.Uint32(c.read(4))
}
