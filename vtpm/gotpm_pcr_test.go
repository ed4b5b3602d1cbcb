package vtpm_test

import (
	"bytes"
	"slices"

	"github.com/google/go-tpm/tpm2"
)

var banks = []tpm2.TPMAlgID{tpm2.TPMAlgSHA1, tpm2.TPMAlgSHA256, tpm2.TPMAlgSHA384, tpm2.TPMAlgSHA512}

// digestList returns the digests of data by each algorithm.
func digestList(data string, algs ...tpm2.TPMAlgID) tpm2.TPMLDigestValues {
	var list tpm2.TPMLDigestValues
	for _, alg := range algs {
		h, _ := alg.Hash()
		list.Digests = append(list.Digests, tpm2.TPMTHA{HashAlg: alg, Digest: digest(h, []byte(data))})
	}
	return list
}

// pcr returns the value of a PCR.
func (b *bench) pcr(alg tpm2.TPMAlgID, n uint) []byte {
	b.Helper()
	r := must(tpm2.PCRRead{PCRSelectionIn: pcrs(alg, n)}.Execute(b.TPM))(b)
	if len(r.PCRValues.Digests) != 1 {
		b.Fatalf("PCR %d: %d values", n, len(r.PCRValues.Digests))
	}
	return r.PCRValues.Digests[0].Buffer
}

// measurements: a PCR's value is the hash of the old one and what was measured,
// in each bank on its own.
func measurements(b *bench) {
	at := func(n tpm2.TPMHandle) tpm2.AuthHandle { return tpm2.AuthHandle{Handle: n, Auth: b.auth("")} }
	want := make(map[tpm2.TPMAlgID][]byte)
	for _, alg := range banks {
		want[alg] = make([]byte, hashOf(b, alg).Size())
	}
	extend := func(list tpm2.TPMLDigestValues) {
		for _, d := range list.Digests {
			want[d.HashAlg] = digest(hashOf(b, d.HashAlg), want[d.HashAlg], d.Digest)
		}
	}
	check := func(what string) {
		b.Helper()
		for _, alg := range banks {
			r := exec(b, tpm2.PCRRead{PCRSelectionIn: pcrs(alg, 16)})
			if v := r.PCRValues.Digests; len(v) != 1 || !bytes.Equal(v[0].Buffer, want[alg]) {
				b.Errorf("%s: PCR 16 in %v is %x, want %x", what, alg, v, want[alg])
			}
		}
	}
	list := digestList("kernel", tpm2.TPMAlgSHA1, tpm2.TPMAlgSHA256, tpm2.TPMAlgSHA384)
	exec(b, tpm2.PCRExtend{PCRHandle: at(16), Digests: list})
	extend(list)
	check("after an extend in three banks")

	event := tpm2.PCREvent{PCRHandle: at(16), EventData: tpm2.TPM2BEvent{Buffer: []byte("initrd")}}
	must(event.Execute(b))(b)
	list = digestList("initrd", banks...)
	extend(list)
	for _, d := range list.Digests { // go-tpm does not decode the response
		if !bytes.Contains(b.response, tpm2.Marshal(d)) {
			b.Errorf("TPM2_PCR_Event answers %x, without the digest by %v", b.response, d.HashAlg)
		}
	}
	check("after an event")
	exec(b, event)
	extend(list)
	check("after another event")

	exec(b, tpm2.PCRReset{PCRHandle: at(16)})
	for alg := range want {
		clear(want[alg])
	}
	check("after a reset")
	_, err := tpm2.PCRReset{PCRHandle: tpm2.AuthHandle{Handle: 0, Auth: tpm2.PasswordAuth(nil)}}.Execute(b.TPM)
	wantRC(b, err, tpm2.TPMRCLocality)
}

// pcrCounter: the update counter moves with PCRs that count, and only with them;
// a read answers with as many PCRs as fit and says which.
func pcrCounter(b *bench) {
	counter := func() uint32 { return exec(b, tpm2.PCRRead{}).PCRUpdateCounter }
	before := counter()
	for _, pcr := range []tpm2.TPMHandle{16, 23, 0} {
		must(tpm2.PCRExtend{PCRHandle: tpm2.AuthHandle{Handle: pcr, Auth: tpm2.PasswordAuth(nil)}, Digests: digestList("x", tpm2.TPMAlgSHA256)}.Execute(b.TPM))(b)
	}
	if after := counter(); after != before+1 {
		b.Errorf("pcrUpdateCounter moved from %d to %d", before, after)
	}
	all := slices.Collect(func(yield func(uint) bool) {
		for i := range uint(24) {
			if !yield(i) {
				return
			}
		}
	})
	r := exec(b, tpm2.PCRRead{PCRSelectionIn: pcrs(tpm2.TPMAlgSHA256, all...)})
	if n := len(r.PCRValues.Digests); n != 8 {
		b.Errorf("%d values at once, want 8", n)
	}
	if have, want := r.PCRSelectionOut, pcrs(tpm2.TPMAlgSHA256, 0, 1, 2, 3, 4, 5, 6, 7); !bytes.Equal(tpm2.Marshal(have), tpm2.Marshal(want)) {
		b.Errorf("selection %+v", have)
	}
}
