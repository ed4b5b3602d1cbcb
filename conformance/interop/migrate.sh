# QEMU migrates a VM to a file and back, to another vTPM: the TPM's state goes along, and
# after a reset of the guest the firmware measures into it again.
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

vtpm source
vm source tpm-crb OVMF_CODE_4M.fd OVMF_VARS_4M.fd -m 256
old=$qemu
look source
until_there $patience measured || fail "the firmware measured nothing"
before=$(pcrs)
echo "$before"

tell source 'migrate "exec:cat > vm.state"'
migrated() { tell source 'info migrate'; sleep 0.2; grep -aq 'Migration status: completed' source.qemu; }
until_there $patience migrated || fail "the VM does not migrate to a file"
quit source "$old"

vtpm target # a vTPM of its own until the state comes in
vm target tpm-crb OVMF_CODE_4M.fd OVMF_VARS_4M.fd -m 256 -incoming "exec:cat vm.state"
running() { tell target 'info status'; sleep 0.2; grep -aq 'VM status: running' target.qemu; }
until_there $patience running || fail "the VM does not migrate from a file"
look target
[ "$(pcrs)" = "$before" ] || fail "the PCRs are others after the migration"
echo "migrated, with the same PCRs"

tell target system_reset
again() { [ "$(pcrs)" = "$before" ]; }
sleep 1
until_there $patience again || fail "the PCRs are others after a reset"
echo "reset, and measured the same"
quit target "$qemu"
