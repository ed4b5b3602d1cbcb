package command

import "github.com/bootseal/bootseal/vtpm/internal/engine"

// TPM2_MAC, Part 3, 15.6: compute a MAC of data. It is TPM2_HMAC by a later name,
// with the same code: the key's type says which MAC is meant.
func mac(t *engine.TPM, in *hmacIn) (*hmacOut, error) { return hmac(t, in) }
