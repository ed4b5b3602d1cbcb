package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type getTimeIn struct {
	PrivacyAdminHandle wire.TPMIRHEndorsement
	SignHandle         wire.TPMIDHObject `tpm:"+"`
	QualifyingData     wire.TPM2BData
	InScheme           wire.TPMTSigScheme `tpm:"+"`
}

type getTimeOut struct {
	TimeInfo  wire.TPM2BAttest
	Signature wire.TPMTSignature
}

// TPM2_GetTime, Part 3, 18.7: sign the time, the counters and the firmware version.
// The privacy administrator agrees, so that here they are not obfuscated.
func getTime(t *engine.TPM, in *getTimeIn) (*getTimeOut, error) {
	a, err := selectAttester(t, in.SignHandle.Handle(), 2, in.InScheme, 2)
	if err != nil {
		return nil, err
	}
	info, signature, err := a.attest(t, in.QualifyingData, wire.STAttestTime, wire.TPMUAttest{
		Time: wire.TPMSTimeAttestInfo{
			Time:            wire.TPMSTimeInfo{Time: t.Clock.Time, ClockInfo: t.Clock.Info()},
			FirmwareVersion: t.Profile.FirmwareVersion,
		},
	})
	if err != nil {
		return nil, err
	}
	return &getTimeOut{TimeInfo: info, Signature: signature}, nil
}
