package pcrsig

// FileName is the name under which systemd looks for a [File].
const FileName = "tpm2-pcr-signature.json"

// Places are the files in which systemd looks for signatures on a running system, by their
// paths below the root folder (systemd, src/shared/tpm2-util.c, tpm2_load_pcr_signature).
// An initial ramdisk has one more, "/.extra", which a unified kernel image brings.
func Places() []string {
	var all []string
	for _, dir := range []string{"etc", "run", "usr/local/lib", "usr/lib"} {
		all = append(all, dir+"/systemd/"+FileName)
	}
	return all
}
