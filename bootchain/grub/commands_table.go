package grub

import "maps"

// commands are GRUB's commands that are modeled; docs/grub.md describes them. A
// module of "" is the core; several names are alternatives. The map is filled by
// init because commands run scripts, which look commands up.
var commands map[string]*command

func init() {
	commands = languageCommands()
	maps.Copy(commands, machineCommands())
	for name, module := range harmless {
		commands[name] = &command{module: module, run: func(*run, *call) (int, error) { return ok, nil }}
	}
}

func languageCommands() map[string]*command {
	return map[string]*command{
		// The language.
		"break":     {module: "normal", run: cmdBreak},
		"continue":  {module: "normal", run: cmdBreak},
		"shift":     {module: "normal", run: cmdShift},
		"setparams": {module: "normal", run: cmdSetparams},
		"return":    {module: "normal", run: cmdReturn},
		"true":      {module: "true", run: cmdTrue},
		"false":     {module: "true", run: cmdFalse},
		"[":         {module: "test", run: cmdTest, extractor: true},
		"test":      {module: "test", run: cmdTest, extractor: true},
		"echo":      {module: "echo", run: cmdEcho, options: []option{{short: 'n'}, {short: 'e'}}, dash: true, first: true},
		"eval":      {module: "eval", run: cmdEval},
		"set":       {run: cmdSet, extractor: true},
		"unset":     {run: cmdUnset},
		"export":    {module: "normal", run: cmdExport},
		"increment": {module: "increment", run: cmdIncrement},
		"decrement": {module: "increment", run: cmdIncrement},
		"menuentry": {module: "normal", run: cmdMenuentry, options: menuOptions, dash: true, extractor: true},
		"submenu":   {module: "normal", run: cmdMenuentry, options: menuOptions, dash: true, extractor: true},

		// Configurations and the environment block.
		"normal":                     {module: "normal", run: cmdNormal},
		"normal_exit":                {module: "normal", run: cmdNormalExit},
		"configfile":                 {module: "configfile", run: cmdSource},
		"source":                     {module: "configfile", run: cmdSource},
		".":                          {module: "configfile", run: cmdSource},
		"extract_entries_source":     {module: "configfile", run: cmdSource},
		"extract_entries_configfile": {module: "configfile", run: cmdSource},
		"load_env":                   {module: "loadenv", run: cmdLoadEnv, options: envOptions},
		"list_env":                   {module: "loadenv", run: cmdLoadEnv, options: envOptions},
		"save_env":                   {module: "loadenv", run: cmdSaveEnv, options: envOptions},
		"blscfg":                     {module: "blscfg blsuki", run: cmdBLS},
		"bls_import":                 {module: "blscfg", run: cmdBLS},
	}
}

func machineCommands() map[string]*command {
	return map[string]*command{
		// Devices and files.
		"search":          {module: "search", run: cmdSearch, options: searchOptions, dash: true, extractor: true},
		"search.fs_uuid":  {module: "search_fs_uuid", run: cmdSearchOld},
		"search.fs_label": {module: "search_label", run: cmdSearchOld},
		"search.file":     {module: "search_fs_file", run: cmdSearchOld},
		"probe":           {module: "probe", run: cmdProbe, options: probeOptions},
		"regexp":          {module: "regexp", run: cmdRegexp, options: []option{{long: "set", short: 's', value: true, repeat: true}}},
		"gptprio.next":    {module: "gptprio", run: cmdGptprio, options: gptprioOptions},
		"loopback":        {module: "loopback", run: cmdLoopback, options: loopbackOptions},
		"cryptomount":     {module: "cryptodisk", run: cmdCryptomount},
		"cat":             {module: "cat minicmd", run: cmdOpen, options: []option{{long: "dos"}}},
		"insmod":          {run: cmdInsmod},
		"rmmod":           {module: "minicmd", run: cmdRmmod},

		// The machine.
		"loadfont":         {module: "font", run: cmdLoadfont},
		"terminal_input":   {module: "terminal", run: cmdTerminal},
		"terminal_output":  {module: "terminal", run: cmdTerminal},
		"background_image": {module: "gfxterm_background", run: cmdBackgroundImage, options: []option{{long: "mode", short: 'm', value: true}}},
		"keystatus":        {module: "keystatus", run: cmdKeystatus, options: keyOptions},
		"sleep":            {module: "sleep", run: cmdSleep, options: sleepOptions},
		"cpuid":            {module: "cpuid", run: cmdCPUID, options: cpuidOptions},
		"smbios":           {module: "smbios", run: cmdSMBIOS, options: smbiosOptions},
		"keymap":           {module: "keylayouts", run: cmdKeymap},
		"play":             {module: "play", run: cmdPlay},
		"read":             {module: "read", run: cmdRead},
		"serial":           {module: "serial", run: cmdSerial},

		// Booting.
		"linux":       {module: "linux linuxefi", run: cmdLinux},
		"linuxefi":    {module: "linuxefi linux", run: cmdLinux},
		"initrd":      {module: "linux linuxefi", run: cmdInitrd},
		"initrdefi":   {module: "linuxefi linux", run: cmdInitrd},
		"multiboot":   {module: "multiboot", run: cmdMultiboot},
		"module":      {module: "multiboot", run: cmdModule},
		"multiboot2":  {module: "multiboot2", run: cmdMultiboot},
		"module2":     {module: "multiboot2", run: cmdModule},
		"chainloader": {module: "chain", run: cmdChainloader, options: []option{{long: "force"}}},
		"devicetree":  {module: "fdt linux", run: cmdDevicetree},
		"boot":        {module: "boot", run: cmdBoot},
		"exit":        {module: "minicmd", run: ends(Left)},
		"halt":        {module: "halt", run: ends(Off)},
		"reboot":      {module: "reboot", run: ends(Reset)},
		"fwsetup":     {module: "efifwsetup", run: cmdFwsetup},
	}
}

var menuOptions = []option{{long: "class", short: 1, value: true, repeat: true}, {long: "users", short: 2, value: true},
	{long: "hotkey", short: 3, value: true}, {long: "source", short: 4, value: true}, {long: "id", value: true}, {long: "unrestricted"}}

// harmless are commands that print, set a password or change the screen: they
// open nothing, and succeed.
var harmless = map[string]string{
	"password": "password", "password_pbkdf2": "password_pbkdf2", "terminfo": "terminfo",
	"background_color": "gfxterm_background", "clear": "normal", "ls": "ls", "lsmod": "minicmd", "help": "help",
	"lsfonts": "font", "videoinfo": "videoinfo", "vbeinfo": "videoinfo", "lspci": "lspci", "lsacpi": "lsacpi",
	"lsmmap": "lsmmap", "lsefi": "lsefi", "lsefimmap": "lsefimmap", "lsefisystab": "lsefisystab", "version": "version",
	"efitextmode": "efitextmode", "gettext": "gettext", "date": "date", "btrfs-mount-subvol": "btrfs",
}

// unmodeled are GRUB's other commands with the modules that have them: what
// follows them is not known.
var unmodeled = map[string]string{
	"acpi": "acpi", "authenticate": "normal", "badram": "mmap", "cutmem": "mmap", "cbmemc": "cbmemc", "cmp": "cmp",
	"cmosclean": "cmostest", "cmosdump": "cmosdump", "cmosset": "cmostest", "cmostest": "cmostest", "crc": "hashsum",
	"distrust": "pgp", "dump": "minicmd", "extract_legacy_entries_configfile": "legacycfg",
	"extract_legacy_entries_source": "legacycfg", "extract_syslinux_entries_configfile": "syslinuxcfg",
	"extract_syslinux_entries_source": "syslinuxcfg", "fakebios": "loadbios", "file": "file", "fix_video": "fixvideo",
	"gptrepair": "gptrepair", "gptsync": "gptsync", "hashsum": "hashsum", "hdparm": "hdparm", "hexdump": "hexdump", "hwmatch": "hwmatch",
	"inb": "iorw", "inl": "iorw", "inw": "iorw", "kfreebsd": "bsd", "knetbsd": "bsd", "kopenbsd": "bsd",
	"legacy_check_password": "legacycfg", "legacy_configfile": "legacycfg", "legacy_initrd": "legacycfg",
	"legacy_initrd_nounzip": "legacycfg", "legacy_kernel": "legacycfg", "legacy_password": "legacycfg",
	"legacy_source": "legacycfg", "linux16": "linux16", "initrd16": "linux16", "list_trusted": "pgp", "loadbios": "loadbios",
	"macppcbless": "macbless", "mactelbless": "macbless", "md5sum": "hashsum", "nativedisk": "nativedisk",
	"net_add_addr": "net", "net_add_dns": "net", "net_add_route": "net", "net_bootp": "net", "net_bootp6": "net",
	"net_del_addr": "net", "net_del_dns": "net", "net_del_route": "net", "net_dhcp": "net", "net_get_dhcp_option": "net",
	"net_ipv6_autoconf": "net", "net_ls_addr": "net", "net_ls_cards": "net", "net_ls_dns": "net", "net_ls_routes": "net",
	"net_nslookup": "net", "ntldr": "ntldr", "outb": "iorw", "outl": "iorw", "outw": "iorw", "parttool": "parttool",
	"pcidump": "pcidump", "rdmsr": "rdmsr", "read_byte": "memrw", "read_dword": "memrw", "read_word": "memrw",
	"setpci": "setpci", "sha1sum": "hashsum", "sha256sum": "hashsum", "sha512sum": "hashsum", "syslinux_configfile": "syslinuxcfg",
	"syslinux_source": "syslinuxcfg", "testload": "testload", "time": "time", "tr": "tr", "trust": "pgp", "uki": "blsuki",
	"usb": "usbtest", "verify_detached": "pgp", "wrmsr": "wrmsr", "write_byte": "memrw", "write_dword": "memrw",
	"write_word": "memrw", "xen_hypervisor": "xen_boot", "xen_module": "xen_boot", "xnu_kernel": "xnu", "xnu_kernel64": "xnu",
	"zfskey": "zfscrypt", "zfs-bootfs": "zfsinfo", "zfsinfo": "zfsinfo", "tpm2_key_protector_init": "tpm2_key_protector",
	"tpm2_key_protector_clear": "tpm2_key_protector", "plainmount": "plainmount", "efivar": "efivar",
}
