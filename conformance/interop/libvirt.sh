# libvirt's own daemon runs VMs whose <tpm> is bootseal under swtpm's names, found in PATH.
# The daemon has folders, processes and mounts of its own: nothing of it is left behind.
. "$(dirname "$0")/lib"
needs libvirtd virsh qemu-system-x86_64 unshare mcopy
[ "$(id -u)" = 0 ] || { echo "skipped: libvirt's daemon needs root here"; exit 77; }
if [ -z "${OWN_NAMESPACE:-}" ]; then
  image=$("$here/chain/image") || fail "no disk image"
  export image OWN_NAMESPACE=yes
  exec unshare --mount --pid --fork --kill-child --mount-proc bash "$0"
fi
patience=300

for folder in /etc/libvirt /var/lib/libvirt /var/lib/swtpm-localca /var/log/swtpm /var/log/libvirt \
  /var/cache/libvirt /run/libvirt; do
  mkdir -p "$folder"
  mount -t tmpfs -o mode=755 tmpfs "$folder"
done
mount -t tmpfs -o mode=755,uid=tss,gid=tss tmpfs /var/lib/tpm # home of the user that libvirt runs swtpm as
mkdir -p /var/log/libvirt/qemu bin
printf '%s\n' 'stdio_handler = "file"' 'security_driver = "none"' 'namespaces = []' 'cgroup_controllers = []' >/etc/libvirt/qemu.conf
cp "$bootseal" bin/bootseal # a place that libvirt's users can reach
for name in swtpm swtpm_setup swtpm_ioctl; do ln -s bootseal bin/$name; done
chmod 755 . ..
cp --sparse=always "$image" disk.img
chmod 666 disk.img

PATH=$PWD/bin:$PATH libvirtd >libvirtd.log 2>&1 &
virsh() { command virsh -q -c qemu:///system "$@"; }
until_there 60 virsh version || fail "libvirtd does not answer: $(tail -n 1 libvirtd.log)"
virsh version

# domain NAME UUID TPM: a VM that boots the chain, without Secure Boot, and writes into NAME.guest.
domain() {
  touch "$1.guest" "$1.console"
  chmod 666 "$1.guest" "$1.console"
  cat >"$1.xml" <<END
<domain type='qemu'>
  <name>$1</name>
  <uuid>$2</uuid>
  <memory unit='MiB'>512</memory>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>
    <nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'/>
  </os>
  <features><acpi/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='$PWD/disk.img'/>
      <target dev='vda' bus='virtio'/>
      <readonly/>
    </disk>
    <serial type='file'><source path='$PWD/$1.console' append='on'/></serial>
    <serial type='file'><source path='$PWD/$1.guest' append='on'/></serial>
    $3
  </devices>
</domain>
END
  virsh define "$1.xml"
}
log() { cat "/var/log/swtpm/libvirt/qemu/$1-swtpm.log" 2>/dev/null || true; }
start() {
  virsh start "$1" || fail "$1 does not start: $(log "$1" | tail -n 3)"
}
lines() { grep -ac '^now' "$1.guest" || true; }
goes_on() { # NAME: the guest's kernel still reads its TPM
  local before; before=$(lines "$1")
  more() { [ "$(lines "$1")" -gt $((before + 1)) ]; }
  until_there $patience more "$1" || fail "$1: the guest does not read its TPM; the console ends: $(tail -c 200 "$1.console" | tr -c '[:print:]' ' ')"
}
now() { sed -n 's/^now \([0-9A-F]*\)$/\1/p' "$1.guest" | tail -n 1; }

uuid=10d4c0de-0000-4000-8000-000000000001
domain plain $uuid "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>"
start plain
goes_on plain
pcr7=$(now plain)
state=/var/lib/libvirt/swtpm/$uuid/tpm2
ls -la "$state"
log plain
echo "ok started: libvirt set the TPM up, and the guest reads it"

virsh save plain "$PWD/plain.save"
virsh restore "$PWD/plain.save" || fail "restore: $(log plain | tail -n 3)"
goes_on plain
[ "$(now plain)" = "$pcr7" ] || fail "PCR 7 is another after save and restore"
echo "ok saved and restored, with the same PCRs"

virsh reset plain
sleep 1
goes_on plain
[ "$(now plain)" = "$pcr7" ] || fail "PCR 7 is another after a reset"
virsh destroy plain
[ -e "$state" ] || fail "the state is gone with the VM's end"
start plain
goes_on plain
virsh destroy plain
echo "ok reset, destroyed and started again on its state"
virsh undefine --nvram plain
[ ! -e "$state" ] || fail "the state is still there after undefine"
echo "ok undefined: the state is gone"

# A state that is encrypted with a secret of libvirt's.
cat >secret.xml <<END
<secret ephemeral='yes' private='yes'><uuid>10d4c0de-0000-4000-8000-00000000000a</uuid><usage type='vtpm'><name>vtpm</name></usage></secret>
END
virsh secret-define secret.xml
printf 'a password' >password
virsh secret-set-value 10d4c0de-0000-4000-8000-00000000000a --file password --plain
uuid=10d4c0de-0000-4000-8000-000000000002
domain secret $uuid "<tpm model='tpm-tis'><backend type='emulator' version='2.0'><encryption secret='10d4c0de-0000-4000-8000-00000000000a'/></backend></tpm>"
start secret
goes_on secret
virsh save secret "$PWD/secret.save"
virsh restore "$PWD/secret.save" || fail "restore of an encrypted TPM: $(log secret | tail -n 3)"
goes_on secret
virsh destroy secret
cp -r /var/lib/libvirt/swtpm/$uuid/tpm2 copy
! "$bootseal" vtpm socket --tpm2 --tpmstate dir=copy --ctrl type=unixio,path=copy.ctrl >copy.out 2>&1 ||
  fail "the encrypted state opens without its key"
grep -qi 'key' copy.out || fail "without the key, the error does not speak of it: $(cat copy.out)"
echo "ok encrypted: not to be opened without the secret"
virsh undefine --nvram secret
