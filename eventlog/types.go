package eventlog

import (
	"fmt"
	"strconv"
	"strings"
)

// Type is an event's type (TCG PC Client Platform Firmware Profile, PFP,
// section "Event Types"). The type itself is not measured.
type Type uint32

// The event types of the PFP, in the order of their numbers.
const (
	PrebootCert           Type = 0x00000000
	PostCode              Type = 0x00000001
	Unused                Type = 0x00000002
	NoAction              Type = 0x00000003
	SeparatorType         Type = 0x00000004
	ActionType            Type = 0x00000005
	EventTag              Type = 0x00000006
	SCRTMContents         Type = 0x00000007
	SCRTMVersion          Type = 0x00000008
	CPUMicrocode          Type = 0x00000009
	PlatformConfigFlags   Type = 0x0000000A
	TableOfDevices        Type = 0x0000000B
	CompactHash           Type = 0x0000000C
	IPL                   Type = 0x0000000D
	IPLPartitionData      Type = 0x0000000E
	NonhostCode           Type = 0x0000000F
	NonhostConfig         Type = 0x00000010
	NonhostInfo           Type = 0x00000011
	OmitBootDeviceEvents  Type = 0x00000012
	PostCode2             Type = 0x00000013
	EFIEventBase          Type = 0x80000000
	EFIVariableConfig     Type = 0x80000001 // EV_EFI_VARIABLE_DRIVER_CONFIG
	EFIVariableBoot       Type = 0x80000002
	EFIBootApplication    Type = 0x80000003 // EV_EFI_BOOT_SERVICES_APPLICATION
	EFIBootDriver         Type = 0x80000004 // EV_EFI_BOOT_SERVICES_DRIVER
	EFIRuntimeDriver      Type = 0x80000005 // EV_EFI_RUNTIME_SERVICES_DRIVER
	EFIGPTEvent           Type = 0x80000006
	EFIAction             Type = 0x80000007
	EFIFirmwareBlob       Type = 0x80000008 // EV_EFI_PLATFORM_FIRMWARE_BLOB
	EFIHandoffTables      Type = 0x80000009
	EFIFirmwareBlob2      Type = 0x8000000A
	EFIHandoffTables2     Type = 0x8000000B
	EFIVariableBoot2      Type = 0x8000000C
	EFIGPTEvent2          Type = 0x8000000D
	EFIHCRTMEvent         Type = 0x80000010
	EFIVariableAuthority  Type = 0x800000E0
	EFISPDMFirmwareBlob   Type = 0x800000E1
	EFISPDMFirmwareConfig Type = 0x800000E2
	EFISPDMDevicePolicy   Type = 0x800000E3
	EFISPDMDeviceAuth     Type = 0x800000E4 // EV_EFI_SPDM_DEVICE_AUTHORITY
)

func (t Type) name() string {
	if t < EFIEventBase {
		return t.conventionalName()
	}
	return t.efiName()
}

func (t Type) conventionalName() string {
	switch t {
	case PrebootCert:
		return "EV_PREBOOT_CERT"
	case PostCode:
		return "EV_POST_CODE"
	case Unused:
		return "EV_UNUSED"
	case NoAction:
		return "EV_NO_ACTION"
	case SeparatorType:
		return "EV_SEPARATOR"
	case ActionType:
		return "EV_ACTION"
	case EventTag:
		return "EV_EVENT_TAG"
	case SCRTMContents:
		return "EV_S_CRTM_CONTENTS"
	case SCRTMVersion:
		return "EV_S_CRTM_VERSION"
	case CPUMicrocode:
		return "EV_CPU_MICROCODE"
	case PlatformConfigFlags:
		return "EV_PLATFORM_CONFIG_FLAGS"
	case TableOfDevices:
		return "EV_TABLE_OF_DEVICES"
	case CompactHash:
		return "EV_COMPACT_HASH"
	case IPL:
		return "EV_IPL"
	case IPLPartitionData:
		return "EV_IPL_PARTITION_DATA"
	case NonhostCode:
		return "EV_NONHOST_CODE"
	case NonhostConfig:
		return "EV_NONHOST_CONFIG"
	case NonhostInfo:
		return "EV_NONHOST_INFO"
	case OmitBootDeviceEvents:
		return "EV_OMIT_BOOT_DEVICE_EVENTS"
	case PostCode2:
		return "EV_POST_CODE2"
	}
	return ""
}

func (t Type) efiName() string {
	switch t {
	case EFIEventBase:
		return "EV_EFI_EVENT_BASE"
	case EFIVariableConfig:
		return "EV_EFI_VARIABLE_DRIVER_CONFIG"
	case EFIVariableBoot:
		return "EV_EFI_VARIABLE_BOOT"
	case EFIBootApplication:
		return "EV_EFI_BOOT_SERVICES_APPLICATION"
	case EFIBootDriver:
		return "EV_EFI_BOOT_SERVICES_DRIVER"
	case EFIRuntimeDriver:
		return "EV_EFI_RUNTIME_SERVICES_DRIVER"
	case EFIGPTEvent:
		return "EV_EFI_GPT_EVENT"
	case EFIAction:
		return "EV_EFI_ACTION"
	case EFIFirmwareBlob:
		return "EV_EFI_PLATFORM_FIRMWARE_BLOB"
	case EFIHandoffTables:
		return "EV_EFI_HANDOFF_TABLES"
	case EFIFirmwareBlob2:
		return "EV_EFI_PLATFORM_FIRMWARE_BLOB2"
	case EFIHandoffTables2:
		return "EV_EFI_HANDOFF_TABLES2"
	case EFIVariableBoot2:
		return "EV_EFI_VARIABLE_BOOT2"
	case EFIGPTEvent2:
		return "EV_EFI_GPT_EVENT2"
	case EFIHCRTMEvent:
		return "EV_EFI_HCRTM_EVENT"
	case EFIVariableAuthority:
		return "EV_EFI_VARIABLE_AUTHORITY"
	case EFISPDMFirmwareBlob:
		return "EV_EFI_SPDM_FIRMWARE_BLOB"
	case EFISPDMFirmwareConfig:
		return "EV_EFI_SPDM_FIRMWARE_CONFIG"
	case EFISPDMDevicePolicy:
		return "EV_EFI_SPDM_DEVICE_POLICY"
	case EFISPDMDeviceAuth:
		return "EV_EFI_SPDM_DEVICE_AUTHORITY"
	}
	return ""
}

// String returns the type's name in the PFP ("EV_IPL"), or its number
// ("0x00000400") where it has none.
func (t Type) String() string {
	if n := t.name(); n != "" {
		return n
	}
	return fmt.Sprintf("0x%08x", uint32(t))
}

// MarshalText writes the type as [Type.String] does.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what [Type.String] writes.
func (t *Type) UnmarshalText(text []byte) error {
	s := string(text)
	if hex, ok := strings.CutPrefix(s, "0x"); ok {
		n, err := strconv.ParseUint(hex, 16, 32)
		if err != nil {
			return fmt.Errorf("event type %q: %w", s, err)
		}
		*t = Type(n)
		return nil
	}
	for _, base := range []Type{0, EFIEventBase} {
		for n := range Type(0x100) {
			if (base+n).name() == s && s != "" {
				*t = base + n
				return nil
			}
		}
	}
	return fmt.Errorf("unknown event type %q", s)
}
