package seal_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// bus is the wire between CPU and TPM, in the hands of somebody else.
type bus struct {
	tpm   transport.TPM
	seen  bytes.Buffer
	count map[tpm2.TPMCC]int
	// answer may replace the TPM's response to a command.
	answer func(cc tpm2.TPMCC, command, response []byte) []byte
}

func (b *bus) Send(command []byte) ([]byte, error) {
	response, err := b.tpm.Send(command)
	if err != nil {
		return nil, err
	}
	cc := tpm2.TPMCC(binary.BigEndian.Uint32(command[6:]))
	if b.count == nil {
		b.count = make(map[tpm2.TPMCC]int)
	}
	b.count[cc]++
	b.seen.Write(command)
	b.seen.Write(response)
	if b.answer != nil {
		response = b.answer(cc, command, response)
	}
	return response, nil
}

func extend(t testing.TB, tpm transport.TPM, index int, data string) {
	t.Helper()
	_, err := tpm2.PCRExtend{
		PCRHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(index), Auth: tpm2.PasswordAuth(nil)},
		Digests: tpm2.TPMLDigestValues{Digests: []tpm2.TPMTHA{
			{HashAlg: tpm2.TPMAlgSHA256, Digest: pcr.SHA256.Sum([]byte(data))},
		}},
	}.Execute(tpm)
	if err != nil {
		t.Fatalf("extend PCR %d: %v", index, err)
	}
}

// reset sets PCR 16 or 23 back to zero: a reboot in small.
func reset(t testing.TB, tpm transport.TPM, index int) {
	t.Helper()
	_, err := tpm2.PCRReset{
		PCRHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(index), Auth: tpm2.PasswordAuth(nil)},
	}.Execute(tpm)
	if err != nil {
		t.Fatalf("reset PCR %d: %v", index, err)
	}
}

// sel are the PCRs of most tests: two that reset can change back.
func sel() pcr.BankSelection {
	return pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.Select(16, 23)}
}

// boot resets the PCRs and measures one thing into each.
func boot(t testing.TB, tpm transport.TPM, firmware, kernel string) {
	t.Helper()
	reset(t, tpm, 16)
	reset(t, tpm, 23)
	extend(t, tpm, 16, firmware)
	extend(t, tpm, 23, kernel)
}

// predicted returns the branch of a boot that has not happened yet.
func predicted(t testing.TB, label, firmware, kernel string) seal.Branch {
	t.Helper()
	v := make(pcr.Values)
	for i, data := range map[int]string{16: firmware, 23: kernel} {
		d, err := pcr.Extend(pcr.SHA256, pcr.Reset(pcr.SHA256, i, 0), pcr.SHA256.Sum([]byte(data)))
		if err != nil {
			t.Fatal(err)
		}
		v.Set(pcr.SHA256, i, d)
	}
	b, err := seal.NewBranch(label, v, sel())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func policy(branches ...seal.Branch) seal.Policy {
	return seal.Policy{Bank: pcr.SHA256, Branches: branches}
}

// nothingLoaded demands that no session and no transient object is left.
func nothingLoaded(t testing.TB, tpm transport.TPM) {
	t.Helper()
	for _, first := range []uint32{0x02000000, 0x03000000, 0x80000000} {
		rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: first, PropertyCount: 8}.Execute(tpm)
		if err != nil {
			t.Fatal(err)
		}
		handles, err := rsp.CapabilityData.Data.Handles()
		if err != nil {
			t.Fatal(err)
		}
		if len(handles.Handle) != 0 {
			t.Errorf("still loaded: %x", handles.Handle)
		}
	}
}

// failing answers TPM_RC_FAILURE to one command, counted from 0 without those that flush.
type failing struct {
	tpm   transport.TPM
	at, n int
}

func (f *failing) Send(command []byte) ([]byte, error) {
	if tpm2.TPMCC(binary.BigEndian.Uint32(command[6:])) == tpm2.TPMCCFlushContext {
		return f.tpm.Send(command)
	}
	f.n++
	if f.n-1 == f.at {
		return []byte{0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x01}, nil
	}
	return f.tpm.Send(command)
}

// everyFailure runs do with each of its commands failing once, until none is left to
// fail, and demands that do says so and leaves nothing in the TPM.
func everyFailure(t testing.TB, tpm transport.TPM, do func(transport.TPM) error) {
	t.Helper()
	for at := 0; ; at++ {
		f := &failing{tpm: tpm, at: at}
		err := do(f)
		nothingLoaded(t, tpm)
		if f.n <= at {
			if err != nil {
				t.Errorf("without a failure: %v", err)
			}
			if at == 0 {
				t.Error("no command was sent")
			}
			return
		}
		if err == nil {
			t.Errorf("command %d failed, and nobody noticed", at)
		}
	}
}
