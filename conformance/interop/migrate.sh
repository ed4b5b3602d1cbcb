# QEMU migrates a VM to a file and back, first to a process that shares the state's directory
# with the old one, then to a vTPM of its own: the TPM's state goes along, and after a reset
# of the guest the firmware measures into it again.
. "$(dirname "$0")/lib"
. "$here/vm"
needs qemu-system-x86_64 tpm2 $firmware/OVMF_CODE_4M.fd
patience=300

look() { export TPM2TOOLS_TCTI="swtpm:path=$1.sock"; }
pcrs() { local n; for n in 0 1 2 3 4 5 6 7; do printf 'PCR %d %s\n' $n "$(pcr $n)"; done; }
# The firmware is through: it has measured the separators and boot attempts.
measured() {
  tpm2_pcrread sha256:4 >/dev/null && [ "$(pcr 0)" != $zero ] && [ "$(pcr 4)" != $zero ] &&
    [ "$(pcr 5)" != $zero ] && [ "$(pcr 7)" != $zero ]
}
# settled: and it does not measure any more. Sets before.
settled() { measured && before=$(pcrs) && sleep 3 && [ "$(pcrs)" = "$before" ]; }

# leave NAME: migrates the VM NAME to a file where it stays stopped.
leave() {
  tell "$1" 'migrate "exec:cat > vm.state"'
  migrated() { tell "$1" 'info migrate'; sleep 0.2; grep -aq 'Migration status: completed' "$1.qemu"; }
  until_there $patience migrated "$1" || fail "$1: the VM does not migrate to a file"
}
# resume NAME: a VM that goes on from the file, with the PCRs of before.
resume() {
  vm "$1" tpm-crb OVMF_CODE_4M.fd OVMF_VARS_4M.fd -m 256 -incoming "exec:cat vm.state"
  running() { tell "$1" 'info status'; sleep 0.2; grep -aq 'VM status: running' "$1.qemu"; }
  until_there $patience running "$1" || fail "$1: the VM does not migrate from a file"
  look "$1"
  [ "$(pcrs)" = "$before" ] || fail "$1: the PCRs are others after the migration"
}

vtpm source --migration release-lock-outgoing
vm source tpm-crb OVMF_CODE_4M.fd OVMF_VARS_4M.fd -m 256
source=$qemu
look source
until_there $patience settled || fail "the firmware measured nothing"
echo "$before"
! "$bootseal" vtpm socket --tpm2 --tpmstate dir=source --ctrl type=unixio,path=second.ctrl --daemon 2>second.out ||
  fail "two processes have the state open"

ln -s source shared # the same directory on another host
vtpm shared --migration incoming
leave source
resume shared
quit source "$source" # only now: its process has let go of the state, and does not touch it
[ "$(pcrs)" = "$before" ] || fail "the end of the source has changed the state"
echo "migrated on shared storage, with the same PCRs"

shared=$qemu
leave shared
quit shared "$shared"
vtpm target # a vTPM of its own until the state comes in
resume target
echo "migrated, with the same PCRs"

tell target system_reset
again() { [ "$(pcrs)" = "$before" ]; }
sleep 1
until_there $patience again || fail "the PCRs are others after a reset"
echo "reset, and measured the same"
quit target "$qemu"
