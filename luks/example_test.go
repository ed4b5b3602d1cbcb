package luks_test

import (
	"fmt"

	"github.com/bootseal/bootseal/luks"
)

// A volume's header comes from luks.Read; here is one token of it.
func ExampleParseToken() {
	_, err := luks.ParseToken(3, []byte(`{"type":"systemd-tpm2","keyslots":["1"],"tpm2-blob":"AAFwAAFw","tpm2-pcrs":[7,24],"tpm2-policy-hash":"00"}`))
	fmt.Println(err)

	token, err := luks.ParseToken(4, []byte(`{"type":"systemd-recovery","keyslots":["2"]}`))
	fmt.Println(token.Type(), token.Slots(), err)
	// Output:
	// token 3 (systemd-tpm2): field "tpm2-pcrs": PCR 24: want 0 to 23
	// systemd-recovery [2] <nil>
}
