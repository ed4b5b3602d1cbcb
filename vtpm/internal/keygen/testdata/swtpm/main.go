// Command swtpm writes primaries.json: primary objects that swtpm makes, beside
// the seeds that it made them from. Run it from the package's folder:
//
//	go run ./testdata/swtpm > testdata/primaries.json
//
// Each list of templates gets a TPM of its own, with fresh seeds. The committed
// file is from swtpm 0.7.1 with libtpms 0.9.2, as in Debian 12.
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/go-tpm/tpm2"
)

// primary is one object; byte strings are in hexadecimal digits.
type primary struct {
	Comment   string `json:"comment"`
	Hierarchy string `json:"hierarchy"`
	Seed      string `json:"seed"`
	SHProof   string `json:"shProof,omitempty"`
	EHProof   string `json:"ehProof,omitempty"`
	Auth      string `json:"auth,omitempty"`
	Data      string `json:"data,omitempty"`
	Template  string `json:"template"`
	Public    string `json:"public"`
	Sensitive string `json:"sensitive,omitempty"`
}

func main() {
	var all []primary
	for _, requests := range [][]request{variety(), repetition(), rarities()} {
		made, err := collect(requests)
		if err != nil {
			fmt.Fprintln(os.Stderr, "swtpm:", err)
			os.Exit(1)
		}
		all = append(all, made...)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", " ")
	if err := out.Encode(all); err != nil {
		fmt.Fprintln(os.Stderr, "swtpm:", err)
		os.Exit(1)
	}
}

// collect has a new TPM make the objects, then reads the seeds it used.
func collect(requests []request) ([]primary, error) {
	dir, err := os.MkdirTemp("", "keygen")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	tpm, err := start(dir)
	if err != nil {
		return nil, err
	}
	var all []primary
	for _, r := range requests {
		p, err := create(tpm, r)
		if err != nil {
			tpm.stop()
			return nil, fmt.Errorf("%s: %w", r.comment, err)
		}
		all = append(all, p)
	}
	if _, err := (tpm2.Shutdown{ShutdownType: tpm2.TPMSUClear}).Execute(tpm); err != nil {
		return nil, err
	}
	tpm.stop()
	state, err := os.ReadFile(filepath.Join(dir, "tpm2-00.permall"))
	if err != nil {
		return nil, err
	}
	secrets, err := parse(state)
	if err != nil {
		return nil, err
	}
	for i := range all {
		secrets.addTo(&all[i])
	}
	return all, nil
}

const userAuth = "pw"

func create(tpm *swtpm, r request) (primary, error) {
	rsp, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.AuthHandle{Handle: r.hierarchy, Auth: tpm2.PasswordAuth(nil)},
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
			UserAuth: tpm2.TPM2BAuth{Buffer: []byte(userAuth)},
			Data:     tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: r.data}),
		}},
		InPublic: tpm2.BytesAs2B[tpm2.TPMTPublic](r.encoded()),
	}.Execute(tpm)
	if err != nil {
		return primary{}, err
	}
	defer tpm2.FlushContext{FlushHandle: rsp.ObjectHandle}.Execute(tpm)
	p := primary{
		Comment:   r.comment,
		Hierarchy: hierarchyNames[r.hierarchy],
		Auth:      hex.EncodeToString([]byte(userAuth)),
		Data:      hex.EncodeToString(r.data),
		Template:  hex.EncodeToString(r.encoded()),
		Public:    hex.EncodeToString(rsp.OutPublic.Bytes()),
	}
	if r.template.ObjectAttributes.FixedParent {
		return p, nil
	}
	s, err := duplicate(tpm, rsp, r.template.NameAlg)
	p.Sensitive = hex.EncodeToString(s)
	return p, err
}

// duplicate returns the sensitive area of an object whose policy is that of
// duplicable: to no parent and without inner wrapping it leaves the TPM in clear.
func duplicate(tpm *swtpm, object *tpm2.CreatePrimaryResponse, hash tpm2.TPMIAlgHash) ([]byte, error) {
	session, closeSession, err := tpm2.PolicySession(tpm, hash, 16)
	if err != nil {
		return nil, err
	}
	defer closeSession()
	_, err = tpm2.PolicyCommandCode{PolicySession: session.Handle(), Code: tpm2.TPMCCDuplicate}.Execute(tpm)
	if err != nil {
		return nil, err
	}
	rsp, err := tpm2.Duplicate{
		ObjectHandle:    tpm2.AuthHandle{Handle: object.ObjectHandle, Name: object.Name, Auth: session},
		NewParentHandle: tpm2.NamedHandle{Handle: tpm2.TPMRHNull, Name: tpm2.HandleName(tpm2.TPMRHNull)},
		Symmetric:       tpm2.TPMTSymDef{Algorithm: tpm2.TPMAlgNull},
	}.Execute(tpm)
	if err != nil {
		return nil, err
	}
	return rsp.Duplicate.Buffer[2:], nil // without the size of the TPM2B_SENSITIVE
}
