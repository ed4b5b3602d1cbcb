package eventlog

import "fmt"

// DeviceSecurity is a device's firmware, configuration or identity, reported by
// the device itself over SPDM (PFP, "DEVICE_SECURITY_EVENT_DATA").
type DeviceSecurity struct {
	What      string `json:"what"`
	Signature string `json:"signature"`
	Version   uint16 `json:"version"`
	Bus       string `json:"bus,omitempty"`
	Size      int    `json:"size"`
}

// Kind returns "device".
func (DeviceSecurity) Kind() string { return "device" }

// String names the device's bus.
func (d DeviceSecurity) String() string {
	if d.Bus == "" {
		return d.What + " of a device"
	}
	return d.What + " of a " + d.Bus + " device"
}

func decodeDeviceSecurity(e *Event) Body {
	d := DeviceSecurity{Size: len(e.Data)}
	switch e.Type {
	case EFISPDMFirmwareBlob:
		d.What = "firmware"
	case EFISPDMFirmwareConfig:
		d.What = "configuration"
	case EFISPDMDevicePolicy:
		// Not device security data: the UEFI variable devdb, in most firmware.
		if v, ok := decodeVariable(e).(Variable); ok {
			return v
		}
		return Opaque{What: "policy for devices", Size: len(e.Data)}
	default:
		d.What = "identity"
	}
	c := cursor{buf: e.Data}
	d.Signature = trimNUL(c.bytes(16))
	d.Version = c.u16()
	switch d.Signature {
	case "SPDM Device Sec":
		c.bytes(2 + 4) // length and hash algorithm
	case "SPDM Device Sec2":
		c.bytes(2 + 4) // authentication state, reserved byte, length
	default:
		if v, ok := decodeVariable(e).(Variable); ok {
			return v
		}
		return malformed(e, "no SPDM signature")
	}
	bus := c.u32()
	if c.short {
		return malformed(e, fmt.Sprintf("cut short after %d bytes", len(e.Data)))
	}
	switch bus {
	case 1:
		d.Bus = "PCI"
	case 2:
		d.Bus = "USB"
	}
	return d
}
