package vtpm_test

import (
	"bytes"
	"crypto"
	"encoding/binary"

	"github.com/google/go-tpm/tpm2"
)

// nvAttributes let the owner and the authValue read and write.
var nvAttributes = tpm2.TPMANV{OwnerRead: true, OwnerWrite: true, AuthRead: true, AuthWrite: true, NoDA: true}

// defineNV defines an index.
func (b *bench) defineNV(handle tpm2.TPMHandle, typ tpm2.TPMNT, size uint16, auth string) tpm2.NamedHandle {
	b.Helper()
	attributes := nvAttributes
	attributes.NT = typ
	public := tpm2.TPMSNVPublic{NVIndex: handle, NameAlg: tpm2.TPMAlgSHA256, Attributes: attributes, DataSize: size}
	exec(b, tpm2.NVDefineSpace{
		AuthHandle: b.by(tpm2.TPMRHOwner, ""), Auth: tpm2.TPM2BAuth{Buffer: []byte(auth)}, PublicInfo: tpm2.New2B(public),
	})
	return b.checkNV(public)
}

// checkNV demands that an index has this public area and the Name of it.
func (b *bench) checkNV(want tpm2.TPMSNVPublic) tpm2.NamedHandle {
	b.Helper()
	area := tpm2.Marshal(want)
	name := append([]byte{0, 0x0B}, digest(crypto.SHA256, area)...)
	r := exec(b, tpm2.NVReadPublic{NVIndex: tpm2.NamedHandle{Handle: want.NVIndex, Name: tpm2.TPM2BName{Buffer: name}}})
	if have := r.NVPublic.Bytes(); !bytes.Equal(have, area) {
		b.Errorf("public area %x, want %x", have, area)
	}
	if !bytes.Equal(r.NVName.Buffer, name) {
		b.Errorf("Name %x, want %x", r.NVName.Buffer, name)
	}
	return tpm2.NamedHandle{Handle: want.NVIndex, Name: r.NVName}
}

// written returns the index with the Name that it has once it is written.
func (b *bench) written(index tpm2.NamedHandle) tpm2.NamedHandle {
	b.Helper()
	r := must(tpm2.NVReadPublic{NVIndex: index.Handle}.Execute(b.TPM))(b)
	public := contents(b, r.NVPublic)
	if !public.Attributes.Written {
		b.Error("TPMA_NV_WRITTEN is clear")
	}
	return b.checkNV(public)
}

// writeNV writes an index from its beginning, by the owner.
func (b *bench) writeNV(index tpm2.NamedHandle, data []byte) tpm2.NamedHandle {
	b.Helper()
	exec(b, tpm2.NVWrite{AuthHandle: b.by(tpm2.TPMRHOwner, ""), NVIndex: index, Data: tpm2.TPM2BMaxNVBuffer{Buffer: data}})
	return b.written(index)
}

// readNV reads an index as a whole, with its own authValue.
func (b *bench) readNV(index tpm2.NamedHandle, size uint16, auth string) []byte {
	b.Helper()
	return exec(b, tpm2.NVRead{AuthHandle: b.nvAuth(index, auth), NVIndex: index, Size: size}).Data.Buffer
}

// nvAuth returns an index that authorizes access to itself.
func (b *bench) nvAuth(index tpm2.NamedHandle, auth string) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: index.Handle, Name: index.Name, Auth: b.auth(auth)}
}

// nvData: what is written is read again, also after a power cut, until the index
// is undefined.
func nvData(b *bench) {
	index := b.defineNV(0x01800001, tpm2.TPMNTOrdinary, 100, "nv auth")
	_, err := tpm2.NVRead{AuthHandle: b.nvAuth(index, "nv auth"), NVIndex: index, Size: 1}.Execute(b.TPM)
	wantRC(b, err, tpm2.TPMRCNVUninitialized)
	want := bytes.Repeat([]byte("0123456789"), 10)
	index = b.writeNV(index, want)
	exec(b, tpm2.NVWrite{AuthHandle: b.nvAuth(index, "nv auth"), NVIndex: index, Data: tpm2.TPM2BMaxNVBuffer{Buffer: []byte("changed")}, Offset: 50})
	copy(want[50:], "changed")
	b.PowerCycle(b)
	if have := b.readNV(index, 100, "nv auth"); !bytes.Equal(have, want) {
		b.Errorf("read %q, want %q", have, want)
	}
	if have := exec(b, tpm2.NVRead{AuthHandle: b.by(tpm2.TPMRHOwner, ""), NVIndex: index, Size: 7, Offset: 50}).Data.Buffer; string(have) != "changed" {
		b.Errorf("read %q", have)
	}
	_, err = tpm2.NVRead{AuthHandle: b.nvAuth(index, "nv auth"), NVIndex: index, Size: 2, Offset: 99}.Execute(b.TPM)
	wantRC(b, err, tpm2.TPMRCNVRange)
	exec(b, tpm2.NVUndefineSpace{AuthHandle: b.by(tpm2.TPMRHOwner, ""), NVIndex: index})
	_, err = tpm2.NVReadPublic{NVIndex: index.Handle}.Execute(b.TPM)
	wantRC(b, err, tpm2.TPMRCHandle)
}

// nvCounter: a counter only counts up, even if it is defined anew.
func nvCounter(b *bench) {
	last := uint64(0)
	for range 2 {
		index := b.defineNV(0x01800002, tpm2.TPMNTCounter, 8, "nv auth")
		for range 3 {
			exec(b, tpm2.NVIncrement{AuthHandle: b.nvAuth(index, "nv auth"), NVIndex: index})
			index = b.written(index)
			if n := binary.BigEndian.Uint64(b.readNV(index, 8, "nv auth")); n != last+1 {
				b.Errorf("counter %d follows %d", n, last)
			}
			last++
		}
		exec(b, tpm2.NVUndefineSpace{AuthHandle: b.by(tpm2.TPMRHOwner, ""), NVIndex: index})
	}
}

// nvExtend: an index that is extended as a PCR is.
func nvExtend(b *bench) {
	index := b.defineNV(0x01800003, tpm2.TPMNTExtend, 32, "nv auth")
	want := make([]byte, 32)
	for _, data := range []string{"first", "second"} {
		exec(b, bare{
			code:    tpm2.TPMCCNVExtend,
			handles: []tpm2.AuthHandle{b.nvAuth(index, "nv auth"), {Handle: index.Handle, Name: index.Name}},
			params:  append([]byte{0, byte(len(data))}, data...),
			in:      true,
		})
		index = b.written(index)
		want = digest(crypto.SHA256, want, []byte(data))
		if have := b.readNV(index, 32, "nv auth"); !bytes.Equal(have, want) {
			b.Errorf("index holds %x, want %x", have, want)
		}
	}
}
