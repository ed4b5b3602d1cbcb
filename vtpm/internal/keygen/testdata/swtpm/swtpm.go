package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/google/go-tpm/tpm2"
)

// swtpm is a running swtpm process and the connection to it, a transport.TPM.
type swtpm struct {
	conn net.Conn
	cmd  *exec.Cmd
}

// start runs swtpm with its state in dir; a first start manufactures the TPM.
func start(dir string) (*swtpm, error) {
	path := filepath.Join(dir, "socket")
	cmd := exec.Command("swtpm", "socket", "--tpm2", "--tpmstate", "dir="+dir,
		"--server", "type=unixio,path="+path, "--flags", "not-need-init,startup-clear")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	for range 100 {
		if conn, err := net.Dial("unix", path); err == nil {
			return &swtpm{conn, cmd}, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	cmd.Process.Kill()
	cmd.Wait()
	return nil, errors.New("no answer on " + path)
}

func (t *swtpm) stop() {
	t.conn.Close()
	t.cmd.Process.Kill()
	t.cmd.Wait()
}

// Send has the TPM execute a command and returns its response.
func (t *swtpm) Send(command []byte) ([]byte, error) {
	if _, err := t.conn.Write(command); err != nil {
		return nil, err
	}
	header := make([]byte, 10)
	if _, err := io.ReadFull(t.conn, header); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(header[2:])
	if size < 10 || size > 4096 {
		return nil, errors.New("a response of an impossible size")
	}
	rsp := append(header, make([]byte, size-10)...)
	_, err := io.ReadFull(t.conn, rsp[10:])
	return rsp, err
}

var hierarchyNames = map[tpm2.TPMHandle]string{
	tpm2.TPMRHOwner: "owner", tpm2.TPMRHEndorsement: "endorsement", tpm2.TPMRHPlatform: "platform",
}

// secrets are the seeds and proofs of a TPM, in hexadecimal digits.
type secrets struct{ epSeed, spSeed, ppSeed, shProof, ehProof string }

func (s *secrets) addTo(p *primary) {
	switch p.Hierarchy {
	case "owner":
		p.Seed = s.spSeed
	case "platform":
		p.Seed = s.ppSeed
	case "endorsement":
		p.Seed, p.SHProof, p.EHProof = s.epSeed, s.shProof, s.ehProof
	}
}

// parse reads libtpms' PERSISTENT_DATA out of an unencrypted state file: its
// magic, a version, disableClear, three algorithms, then sized buffers.
func parse(state []byte) (*secrets, error) {
	at := bytes.Index(state, []byte{0x12, 0x21, 0x34, 0x43})
	if at < 0 {
		return nil, errors.New("no PERSISTENT_DATA in the state file")
	}
	r := bytes.NewReader(state[at+4+2+1+3*2:])
	var s secrets
	var skip string
	for _, field := range []*string{
		&skip, &skip, &skip, // policies: owner, endorsement, lockout
		&skip, &skip, &skip, // authorization values, likewise
		&s.epSeed, &s.spSeed, &s.ppSeed,
		&skip, &s.shProof, &s.ehProof, // the first is phProof
	} {
		var size uint16
		if err := binary.Read(r, binary.BigEndian, &size); err != nil {
			return nil, err
		}
		b := make([]byte, size)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		*field = hex.EncodeToString(b)
	}
	return &s, nil
}
