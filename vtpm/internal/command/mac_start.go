package command

import "github.com/bootseal/bootseal/vtpm/internal/engine"

// TPM2_MAC_Start, Part 3, 17.3: start a MAC sequence. It is TPM2_HMAC_Start by a
// later name, with the same code.
func macStart(t *engine.TPM, in *hmacStartIn) (*hmacStartOut, error) { return hmacStart(t, in) }
