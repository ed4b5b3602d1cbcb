# tpm2-tools over their swtpm transport, and a suspend between their commands.
. "$(dirname "$0")/lib"
needs tpm2 swtpm_ioctl
# The transport expects the control channel beside the data channel.
flags=(--server "type=unixio,path=tpm.sock" --ctrl "type=unixio,path=tpm.sock.ctrl")
serve tpm "${flags[@]}"
i="swtpm_ioctl --unix tpm.sock.ctrl"
export TPM2TOOLS_TCTI=swtpm:path=tpm.sock

$i -i
tpm2_startup -c
tpm2_pcrextend "7:sha256=$zero"
tpm2_createprimary -Q -c primary.ctx
echo secret | tpm2_create -Q -C primary.ctx -i- -u seal.pub -r seal.priv
before=$(pcr 7)
[ "$before" != $zero ] || fail "PCR 7 was not extended"

$i -v
$i -s # suspend: the volatile state rests in the directory
until_there 60 test ! -e tpm.pid || fail "the vTPM did not end"
serve tpm "${flags[@]}"
$i -i # resume: no TPM2_Startup
[ "$(pcr 7)" = "$before" ] || fail "PCR 7 is another after the resume"
tpm2_load -Q -C primary.ctx -u seal.pub -r seal.priv -c seal.ctx
[ "$(tpm2_unseal -c seal.ctx)" = secret ] || fail "unseal after the resume"
$i -s
