package wire

// PT is a TPM_PT, a property tag (Part 2, "TPM_PT").
type PT uint32

// PTNone is no property; PTFixed and PTVar start the two groups, of 256 each.
const (
	PTNone  PT = 0x000
	PTFixed PT = 0x100
	PTVar   PT = 0x200
)

// Properties that only a field upgrade changes.
const (
	PTFamilyIndicator   PT = PTFixed + 0
	PTLevel             PT = PTFixed + 1
	PTRevision          PT = PTFixed + 2
	PTDayOfYear         PT = PTFixed + 3
	PTYear              PT = PTFixed + 4
	PTManufacturer      PT = PTFixed + 5
	PTVendorString1     PT = PTFixed + 6
	PTVendorString2     PT = PTFixed + 7
	PTVendorString3     PT = PTFixed + 8
	PTVendorString4     PT = PTFixed + 9
	PTVendorTPMType     PT = PTFixed + 10
	PTFirmwareVersion1  PT = PTFixed + 11
	PTFirmwareVersion2  PT = PTFixed + 12
	PTInputBuffer       PT = PTFixed + 13
	PTHRTransientMin    PT = PTFixed + 14
	PTHRPersistentMin   PT = PTFixed + 15
	PTHRLoadedMin       PT = PTFixed + 16
	PTActiveSessionsMax PT = PTFixed + 17
	PTPCRCount          PT = PTFixed + 18
	PTPCRSelectMin      PT = PTFixed + 19
	PTContextGapMax     PT = PTFixed + 20
	PTNVCountersMax     PT = PTFixed + 22
	PTNVIndexMax        PT = PTFixed + 23
	PTMemory            PT = PTFixed + 24
	PTClockUpdate       PT = PTFixed + 25
	PTContextHash       PT = PTFixed + 26
	PTContextSym        PT = PTFixed + 27
	PTContextSymSize    PT = PTFixed + 28
	PTOrderlyCount      PT = PTFixed + 29
	PTMaxCommandSize    PT = PTFixed + 30
	PTMaxResponseSize   PT = PTFixed + 31
	PTMaxDigest         PT = PTFixed + 32
	PTMaxObjectContext  PT = PTFixed + 33
	PTMaxSessionContext PT = PTFixed + 34
	PTPSFamilyIndicator PT = PTFixed + 35
	PTPSLevel           PT = PTFixed + 36
	PTPSRevision        PT = PTFixed + 37
	PTPSDayOfYear       PT = PTFixed + 38
	PTPSYear            PT = PTFixed + 39
	PTSplitMax          PT = PTFixed + 40
	PTTotalCommands     PT = PTFixed + 41
	PTLibraryCommands   PT = PTFixed + 42
	PTVendorCommands    PT = PTFixed + 43
	PTNVBufferMax       PT = PTFixed + 44
	PTModes             PT = PTFixed + 45
	PTMaxCapBuffer      PT = PTFixed + 46
	PTFirmwareSVN       PT = PTFixed + 47
	PTFirmwareMaxSVN    PT = PTFixed + 48
)

// Properties that change while the TPM runs.
const (
	PTPermanent         PT = PTVar + 0
	PTStartupClear      PT = PTVar + 1
	PTHRNVIndex         PT = PTVar + 2
	PTHRLoaded          PT = PTVar + 3
	PTHRLoadedAvail     PT = PTVar + 4
	PTHRActive          PT = PTVar + 5
	PTHRActiveAvail     PT = PTVar + 6
	PTHRTransientAvail  PT = PTVar + 7
	PTHRPersistent      PT = PTVar + 8
	PTHRPersistentAvail PT = PTVar + 9
	PTNVCounters        PT = PTVar + 10
	PTNVCountersAvail   PT = PTVar + 11
	PTAlgorithmSet      PT = PTVar + 12
	PTLoadedCurves      PT = PTVar + 13
	PTLockoutCounter    PT = PTVar + 14
	PTMaxAuthFail       PT = PTVar + 15
	PTLockoutInterval   PT = PTVar + 16
	PTLockoutRecovery   PT = PTVar + 17
	PTNVWriteRecovery   PT = PTVar + 18
	PTAuditCounter0     PT = PTVar + 19
	PTAuditCounter1     PT = PTVar + 20
)

// Read reads any property tag.
func (p *PT) Read(r *Reader) { *p = PT(r.U32()) }

// Write appends the property tag.
func (p PT) Write(w *Writer) { w.U32(uint32(p)) }

// PTPCR is a TPM_PT_PCR, a property that some PCR have (Part 2, "TPM_PT_PCR").
type PTPCR uint32

// Properties of PCR. The extend and reset properties are one for each locality.
const (
	PTPCRSave        PTPCR = 0x00
	PTPCRExtendL0    PTPCR = 0x01
	PTPCRResetL0     PTPCR = 0x02
	PTPCRExtendL1    PTPCR = 0x03
	PTPCRResetL1     PTPCR = 0x04
	PTPCRExtendL2    PTPCR = 0x05
	PTPCRResetL2     PTPCR = 0x06
	PTPCRExtendL3    PTPCR = 0x07
	PTPCRResetL3     PTPCR = 0x08
	PTPCRExtendL4    PTPCR = 0x09
	PTPCRResetL4     PTPCR = 0x0A
	PTPCRNoIncrement PTPCR = 0x11
	PTPCRDRTMReset   PTPCR = 0x12
	PTPCRPolicy      PTPCR = 0x13
	PTPCRAuth        PTPCR = 0x14
)

// PTPCRFirst and PTPCRLast bound the properties.
const (
	PTPCRFirst = PTPCRSave
	PTPCRLast  = PTPCRAuth
)

// Read reads any PCR property tag.
func (p *PTPCR) Read(r *Reader) { *p = PTPCR(r.U32()) }

// Write appends the PCR property tag.
func (p PTPCR) Write(w *Writer) { w.U32(uint32(p)) }
