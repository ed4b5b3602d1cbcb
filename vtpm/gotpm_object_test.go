package vtpm_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"

	"github.com/google/go-tpm/tpm2"
)

// primaries: a primary key is what the template says, its creation is on record,
// and the same template gives the same key.
func primaries(b *bench) {
	must(tpm2.PCRExtend{PCRHandle: tpm2.AuthHandle{Handle: 7, Auth: tpm2.PasswordAuth(nil)}, Digests: digestList("x", tpm2.TPMAlgSHA256)}.Execute(b.TPM))(b)
	for _, hierarchy := range []tpm2.TPMHandle{tpm2.TPMRHOwner, tpm2.TPMRHEndorsement, tpm2.TPMRHPlatform, tpm2.TPMRHNull} {
		cmd := tpm2.CreatePrimary{
			PrimaryHandle: b.by(hierarchy, ""),
			InSensitive:   secret("the key's auth", ""),
			InPublic:      tpm2.New2B(eccTemplate(storage, tpm2.TPMECCNistP256, tpm2.TPMAlgSHA256, 128, 0)),
			OutsideInfo:   tpm2.TPM2BData{Buffer: []byte("outside info")},
			CreationPCR:   pcrs(tpm2.TPMAlgSHA256, 7),
		}
		r := exec(b, cmd)
		made := key{r.ObjectHandle, r.Name, contents(b, r.OutPublic)}
		checkTemplate(b, made.public, contents(b, cmd.InPublic))
		checkName(b, made.public, made.name)
		b.checkCreation(made, creation{r.CreationData.Bytes(), r.CreationHash, r.CreationTicket}, tpm2.TPMSCreationData{
			PCRSelect:           cmd.CreationPCR,
			PCRDigest:           tpm2.TPM2BDigest{Buffer: digest(crypto.SHA256, b.pcr(tpm2.TPMAlgSHA256, 7))},
			Locality:            tpm2.TPMALocality{TPMLocZero: true},
			ParentNameAlg:       tpm2.TPMAlgNull,
			ParentName:          tpm2.HandleName(hierarchy),
			ParentQualifiedName: tpm2.HandleName(hierarchy),
			OutsideInfo:         cmd.OutsideInfo,
		}, hierarchy)
		public := exec(b, tpm2.ReadPublic{ObjectHandle: made.named()})
		if want := qualified(b, tpm2.PrimaryHandleName(hierarchy), r.Name.Buffer); !bytes.Equal(public.QualifiedName.Buffer, want) {
			b.Errorf("Qualified Name %x, want %x", public.QualifiedName.Buffer, want)
		}
		again := exec(b, cmd)
		if !bytes.Equal(again.OutPublic.Bytes(), r.OutPublic.Bytes()) {
			b.Error("the same template gives another key")
		}
		exec(b, tpm2.FlushContext{FlushHandle: again.ObjectHandle})
		exec(b, tpm2.FlushContext{FlushHandle: r.ObjectHandle})
		_, err := tpm2.ReadPublic{ObjectHandle: r.ObjectHandle}.Execute(b.TPM)
		wantRC(b, err, tpm2.TPMRCReferenceH0)
	}
}

// sealing: data goes in, is bound to its parent, and comes out.
func sealing(b *bench) {
	parent := b.public[eccParent]
	create := tpm2.Create{
		ParentHandle: b.parent(),
		InSensitive:  secret("auth of the data", "the secret data"),
		InPublic:     tpm2.New2B(sealedTemplate(nil)),
		OutsideInfo:  tpm2.TPM2BData{Buffer: []byte("outside info")},
	}
	c := exec(b, create)
	l := exec(b, tpm2.Load{ParentHandle: b.parent(), InPrivate: c.OutPrivate, InPublic: c.OutPublic})
	made := key{l.ObjectHandle, l.Name, contents(b, c.OutPublic)}
	checkTemplate(b, made.public, contents(b, create.InPublic))
	checkName(b, made.public, made.name)
	parentName := must(tpm2.ObjectName(&parent))(b)
	parentQualified := qualified(b, tpm2.PrimaryHandleName(tpm2.TPMRHOwner), parentName.Buffer)
	b.checkCreation(made, creation{c.CreationData.Bytes(), c.CreationHash, c.CreationTicket}, tpm2.TPMSCreationData{
		PCRDigest:           tpm2.TPM2BDigest{Buffer: digest(crypto.SHA256)},
		Locality:            tpm2.TPMALocality{TPMLocZero: true},
		ParentNameAlg:       tpm2.TPMAlgSHA256,
		ParentName:          *parentName,
		ParentQualifiedName: tpm2.TPM2BName{Buffer: parentQualified},
		OutsideInfo:         create.OutsideInfo,
	}, tpm2.TPMRHOwner)
	public := exec(b, tpm2.ReadPublic{ObjectHandle: made.named()})
	if want := qualified(b, parentQualified, l.Name.Buffer); !bytes.Equal(public.QualifiedName.Buffer, want) {
		b.Errorf("Qualified Name %x, want %x", public.QualifiedName.Buffer, want)
	}
	if data := exec(b, tpm2.Unseal{ItemHandle: made.with(b.auth("auth of the data"))}).OutData.Buffer; string(data) != "the secret data" {
		b.Errorf("unsealed %q", data)
	}
	_, err := tpm2.Unseal{ItemHandle: made.with(b.auth("another auth"))}.Execute(b.TPM)
	wantRC(b, err, tpm2.TPMRCBadAuth)

	spoiled := bytes.Clone(c.OutPrivate.Buffer)
	spoiled[len(spoiled)-1] ^= 1
	_, err = tpm2.Load{ParentHandle: b.parent(), InPrivate: tpm2.TPM2BPrivate{Buffer: spoiled}, InPublic: c.OutPublic}.Execute(b.TPM)
	wantRC(b, err, tpm2.TPMRCIntegrity)
}

// persistence: an object survives power cuts until it is evicted.
func persistence(b *bench) {
	o := b.load(sealedTemplate(nil), "", "the secret data")
	const handle tpm2.TPMHandle = 0x81000100
	exec(b, tpm2.EvictControl{Auth: b.by(tpm2.TPMRHOwner, ""), ObjectHandle: o.named(), PersistentHandle: handle})
	b.PowerCycle(b)
	o.handle = handle
	if data := exec(b, tpm2.Unseal{ItemHandle: o.with(b.auth(""))}).OutData.Buffer; string(data) != "the secret data" {
		b.Errorf("unsealed %q", data)
	}
	exec(b, tpm2.EvictControl{Auth: b.by(tpm2.TPMRHOwner, ""), ObjectHandle: o.named(), PersistentHandle: handle})
	_, err := tpm2.ReadPublic{ObjectHandle: handle}.Execute(b.TPM)
	wantRC(b, err, tpm2.TPMRCHandle)
}

// contexts: an object or a session leaves the TPM and comes back; a context that
// was changed does not.
func contexts(b *bench) {
	o := b.load(sealedTemplate(nil), "", "the secret data")
	saved := exec(b, tpm2.ContextSave{SaveHandle: o.handle}).Context
	exec(b, tpm2.FlushContext{FlushHandle: o.handle})
	loaded := exec(b, tpm2.ContextLoad{Context: saved})
	o.handle = loaded.LoadedHandle
	if data := exec(b, tpm2.Unseal{ItemHandle: o.with(b.auth(""))}).OutData.Buffer; string(data) != "the secret data" {
		b.Errorf("unsealed %q", data)
	}
	b.refusesChanged(saved)

	s, end, err := tpm2.HMACSession(b.TPM, tpm2.TPMAlgSHA256, 16, b.salted()...)
	if err != nil {
		b.Fatal(err)
	}
	context := exec(b, tpm2.ContextSave{SaveHandle: s.Handle()}).Context
	b.refusesChanged(context)
	_, err = tpm2.Unseal{ItemHandle: o.with(s)}.Execute(b.TPM)
	wantRC(b, err, tpm2.TPMRCReferenceS0)
	if back := exec(b, tpm2.ContextLoad{Context: context}).LoadedHandle; back != s.Handle() {
		b.Errorf("session %#x came back as %#x", s.Handle(), back)
	}
	must(tpm2.Unseal{ItemHandle: o.with(s)}.Execute(b.TPM))(b)
	_, err = tpm2.ContextLoad{Context: context}.Execute(b.TPM)
	wantRC(b, err, tpm2.TPMRCHandle)
	if err := end(); err != nil {
		b.Error(err)
	}
}

// refusesChanged demands that no byte of a context can be changed.
func (b *bench) refusesChanged(saved tpm2.TPMSContext) {
	b.Helper()
	changed := saved
	changed.Sequence ^= 1
	_, err := tpm2.ContextLoad{Context: changed}.Execute(b.TPM)
	wantRC(b, err, tpm2.TPMRCIntegrity)
	for i := range saved.ContextBlob.Buffer {
		changed := saved
		changed.ContextBlob.Buffer = bytes.Clone(saved.ContextBlob.Buffer)
		changed.ContextBlob.Buffer[i] ^= 0x80
		_, err := tpm2.ContextLoad{Context: changed}.Execute(b.TPM)
		if i < 2 { // the size of the integrity value
			wantRC(b, err, tpm2.TPMRCSize)
		} else {
			wantRC(b, err, tpm2.TPMRCIntegrity)
		}
	}
}

// external: a key of somebody else is loaded, public or whole.
func external(b *bench) {
	ours := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(b)
	public := externalPublic(b, &ours.PublicKey)
	l := exec(b, tpm2.LoadExternal{InPublic: tpm2.New2B(public), Hierarchy: tpm2.TPMRHOwner})
	checkName(b, public, l.Name)
	r := exec(b, tpm2.ReadPublic{ObjectHandle: tpm2.NamedHandle{Handle: l.ObjectHandle, Name: l.Name}})
	if !bytes.Equal(r.OutPublic.Bytes(), tpm2.Marshal(public)) {
		b.Error("the public area changed")
	}
	exec(b, tpm2.FlushContext{FlushHandle: l.ObjectHandle})

	whole := exec(b, tpm2.LoadExternal{
		InPrivate: tpm2.New2B(tpm2.TPMTSensitive{
			SensitiveType: tpm2.TPMAlgECC,
			AuthValue:     tpm2.TPM2BAuth{Buffer: []byte("auth")},
			Sensitive:     tpm2.NewTPMUSensitiveComposite(tpm2.TPMAlgECC, &tpm2.TPM2BECCParameter{Buffer: must(ours.Bytes())(b)}),
		}),
		InPublic: tpm2.New2B(public), Hierarchy: tpm2.TPMRHNull,
	})
	k := key{whole.ObjectHandle, whole.Name, public}
	message := []byte("signed by a key from outside")
	signed := must(tpm2.Sign{
		KeyHandle: k.with(b.auth("auth")), Digest: tpm2.TPM2BDigest{Buffer: digest(crypto.SHA256, message)},
		InScheme: nullScheme, Validation: noTicket,
	}.Execute(b.TPM))(b)
	checkSignature(b, public, message, signed.Signature)
}

// externalPublic is the public area of a signing key that was made elsewhere.
func externalPublic(t testing.TB, k *ecdsa.PublicKey) tpm2.TPMTPublic {
	point := must(k.Bytes())(t)[1:]
	public := eccTemplate(tpm2.TPMAObject{UserWithAuth: true, SignEncrypt: true, NoDA: true}, tpm2.TPMECCNistP256, tpm2.TPMAlgSHA256, 0, tpm2.TPMAlgSHA256)
	public.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{
		X: tpm2.TPM2BECCParameter{Buffer: point[:32]}, Y: tpm2.TPM2BECCParameter{Buffer: point[32:]},
	})
	return public
}
