package wire_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// TestAttributeBits holds every bit of the attributes that commands carry against
// go-tpm's: a wrong one would round trip all the same.
func TestAttributeBits(t *testing.T) {
	bits := map[string]interface{ Write(*wire.Writer) }{
		"TPMAObject.FixedTPM":             wire.ObjFixedTPM,
		"TPMAObject.STClear":              wire.ObjSTClear,
		"TPMAObject.FixedParent":          wire.ObjFixedParent,
		"TPMAObject.SensitiveDataOrigin":  wire.ObjSensitiveDataOrigin,
		"TPMAObject.UserWithAuth":         wire.ObjUserWithAuth,
		"TPMAObject.AdminWithPolicy":      wire.ObjAdminWithPolicy,
		"TPMAObject.FirmwareLimited":      wire.ObjFirmwareLimited,
		"TPMAObject.NoDA":                 wire.ObjNoDA,
		"TPMAObject.EncryptedDuplication": wire.ObjEncryptedDuplication,
		"TPMAObject.Restricted":           wire.ObjRestricted,
		"TPMAObject.Decrypt":              wire.ObjDecrypt,
		"TPMAObject.SignEncrypt":          wire.ObjSign,
		"TPMAObject.X509Sign":             wire.ObjX509Sign,

		"TPMASession.ContinueSession": wire.SessContinue,
		"TPMASession.AuditExclusive":  wire.SessAuditExclusive,
		"TPMASession.AuditReset":      wire.SessAuditReset,
		"TPMASession.Decrypt":         wire.SessDecrypt,
		"TPMASession.Encrypt":         wire.SessEncrypt,
		"TPMASession.Audit":           wire.SessAudit,

		"TPMALocality.TPMLocZero":  wire.LocZero,
		"TPMALocality.TPMLocOne":   wire.LocOne,
		"TPMALocality.TPMLocTwo":   wire.LocTwo,
		"TPMALocality.TPMLocThree": wire.LocThree,
		"TPMALocality.TPMLocFour":  wire.LocFour,

		"TPMACC.NV":        wire.CCANV,
		"TPMACC.Extensive": wire.CCAExtensive,
		"TPMACC.Flushed":   wire.CCAFlushed,
		"TPMACC.RHandle":   wire.CCARHandle,
		"TPMACC.V":         wire.CCAVendor,

		"TPMANV.PPWrite":        wire.NVPPWrite,
		"TPMANV.OwnerWrite":     wire.NVOwnerWrite,
		"TPMANV.AuthWrite":      wire.NVAuthWrite,
		"TPMANV.PolicyWrite":    wire.NVPolicyWrite,
		"TPMANV.PolicyDelete":   wire.NVPolicyDelete,
		"TPMANV.WriteLocked":    wire.NVWriteLocked,
		"TPMANV.WriteAll":       wire.NVWriteAll,
		"TPMANV.WriteDefine":    wire.NVWriteDefine,
		"TPMANV.WriteSTClear":   wire.NVWriteSTClear,
		"TPMANV.GlobalLock":     wire.NVGlobalLock,
		"TPMANV.PPRead":         wire.NVPPRead,
		"TPMANV.OwnerRead":      wire.NVOwnerRead,
		"TPMANV.AuthRead":       wire.NVAuthRead,
		"TPMANV.PolicyRead":     wire.NVPolicyRead,
		"TPMANV.NoDA":           wire.NVNoDA,
		"TPMANV.Orderly":        wire.NVOrderly,
		"TPMANV.ClearSTClear":   wire.NVClearSTClear,
		"TPMANV.ReadLocked":     wire.NVReadLocked,
		"TPMANV.Written":        wire.NVWritten,
		"TPMANV.PlatformCreate": wire.NVPlatformCreate,
		"TPMANV.ReadSTClear":    wire.NVReadSTClear,
	}
	seen := 0
	for _, theirs := range []tpm2.Marshallable{
		&tpm2.TPMAObject{}, &tpm2.TPMASession{}, &tpm2.TPMALocality{}, &tpm2.TPMACC{}, &tpm2.TPMANV{},
	} {
		v := reflect.ValueOf(theirs).Elem()
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if field.Type.Kind() != reflect.Bool {
				continue
			}
			name := v.Type().Name() + "." + field.Name
			ours, ok := bits[name]
			if !ok {
				t.Errorf("no constant for %s", name)
				continue
			}
			seen++
			v.Field(i).SetBool(true)
			if got, want := wire.Marshal(ours), tpm2.Marshal(theirs); !bytes.Equal(got, want) {
				t.Errorf("%s is %x, go-tpm's %x", name, got, want)
			}
			v.Field(i).SetBool(false)
		}
	}
	if seen != len(bits) {
		t.Errorf("%d bits compared of %d", seen, len(bits))
	}
}
