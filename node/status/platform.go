package status

import (
	"io/fs"
	"strings"
)

// Cloud is a kind of machine.
type Cloud string

// The kinds that are told apart, by what the firmware says of the machine (SMBIOS).
const (
	Azure   Cloud = "Azure"
	GCP     Cloud = "Google Compute Engine"
	AWS     Cloud = "Amazon EC2"
	KVM     Cloud = "QEMU/KVM"
	HyperV  Cloud = "Hyper-V"
	VMware  Cloud = "VMware"
	Machine Cloud = "machine" // none of these: hardware, most likely
)

// Platform is what the firmware says that the machine is.
type Platform struct {
	Cloud           Cloud
	Vendor, Product string
	BIOS            string // vendor and version of the firmware
	// Azure is what Azure's metadata service says, nil if it was not asked, and
	// AzureErr why it does not.
	Azure    *AzureProfile
	AzureErr error
}

// AzureProfile is securityProfile of Azure's instance metadata service. The
// service gives strings: "true", "false", "TrustedLaunch".
type AzureProfile struct {
	SecureBoot   string `json:"secureBootEnabled"`
	VTPM         string `json:"virtualTpmEnabled"`
	SecurityType string `json:"securityType"`
}

// azureTag is the chassis asset tag of every Azure VM, and of no other Hyper-V.
const azureTag = "7783-7084-3265-9085-8269-3286-77"

func readPlatform(root fs.FS) Platform {
	id := func(name string) string { return readWord(root, "sys/class/dmi/id/"+name) }
	p := Platform{Vendor: id("sys_vendor"), Product: id("product_name")}
	p.BIOS = strings.TrimSpace(id("bios_vendor") + " " + id("bios_version"))
	p.Cloud = cloudOf(p.Vendor, p.Product, id("chassis_asset_tag"))
	return p
}

func cloudOf(vendor, product, tag string) Cloud {
	switch {
	case tag == azureTag:
		return Azure
	case vendor == "Microsoft Corporation" && product == "Virtual Machine":
		return HyperV
	case vendor == "Google" || product == "Google Compute Engine":
		return GCP
	case vendor == "Amazon EC2":
		return AWS
	case vendor == "QEMU" || strings.HasPrefix(product, "Standard PC ("):
		return KVM
	case strings.HasPrefix(vendor, "VMware"):
		return VMware
	}
	return Machine
}

// attachTPM says how this kind of machine gets a TPM.
func (p *Platform) attachTPM() string {
	switch p.Cloud {
	case Azure:
		return "make the VM of generation 2, with security type Trusted Launch and vTPM"
	case GCP:
		return "turn the vTPM on while the VM is stopped: gcloud compute instances update NAME --shielded-vtpm"
	case AWS:
		return "use an AMI that was registered with --boot-mode uefi --tpm-support v2.0"
	case KVM:
		return "attach a vTPM to the VM: \"bootseal vtpm socket\" or swtpm"
	case HyperV, VMware:
		return "add a virtual TPM to the VM in its hypervisor"
	}
	return "turn it on in the firmware's setup: TPM, PTT, fTPM or Security Device"
}

func judgePlatform(p *Platform) Line {
	l := Line{What: "platform", Verdict: OK, Says: string(p.Cloud)}
	switch {
	case p.Cloud == Machine && p.Vendor+p.Product == "":
		l.Says = "the firmware does not say"
	case p.Cloud == Machine:
		l.Says = strings.TrimSpace(p.Vendor + " " + p.Product)
	}
	if p.BIOS != "" {
		l.Says += ", firmware " + p.BIOS
	}
	return l
}

// judgeAzure tells whether the VM is a Trusted Launch VM, where that was asked.
func judgeAzure(p *Platform) []Line {
	l := Line{What: "Azure", Verdict: Warn}
	switch {
	case p.AzureErr != nil:
		l.Says, l.Remedy = p.AzureErr.Error(), "only an Azure VM can ask for this; a network policy may keep 169.254.169.254 from it"
	case p.Azure == nil && p.Cloud != Azure:
		return nil
	case p.Azure == nil:
		l.Verdict, l.Says = OK, "whether this is Trusted Launch was not asked (--imds)"
	case p.Azure.SecurityType == "":
		l.Says = "this is a VM of the standard security type"
		l.Remedy = "upgrade it to Trusted Launch: az vm update --security-type TrustedLaunch --enable-secure-boot --enable-vtpm"
	case p.Azure.VTPM != "true":
		l.Says, l.Remedy = p.Azure.SecurityType+" without a vTPM", "turn it on while the VM is deallocated: az vm update --enable-vtpm true"
	default:
		l.Verdict, l.Says = OK, p.Azure.SecurityType+" with a vTPM, Secure Boot "+onOff(p.Azure.SecureBoot == "true")
	}
	return []Line{l}
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
