# Debian's QEMU with OVMF boots Debian's signed shim, GRUB and kernel on the vTPM: over both
# interfaces, with Secure Boot on (Microsoft's keys) and off. The event log that the guest
# reads must explain the PCRs that the vTPM reports, in all four banks.
. "$(dirname "$0")/lib"
. "$here/vm"
needs qemu-system-x86_64 $firmware/OVMF_CODE_4M.secboot.fd mcopy mkfs.fat sgdisk cpio busybox
patience=600 # a boot takes 16 to 30 s where the machine is idle
image=$("$here/chain/image")

start() { # NAME DEVICE CODE VARS
  vtpm "$1"
  vm "$1" "$2" "$3" "$4" -m 512 -drive "file=$image,format=raw,if=virtio,snapshot=on" \
    -serial "file:$1.console" -serial "file:$1.guest"
}
booted() { grep -aq '^end' "$1.guest"; }
log_verify() { "$bootseal" log verify "$1.log.bin" --pcrs "$2" >"$1.verify" 2>&1; }

# hold NAME SECURE_BOOT: what the guest has against what the vTPM has.
hold() {
  local name=$1 what
  "$bootseal" --tpm "swtpm:$name.sock" pcrs | sort >"$name.pcrs"
  sed -n 's/^pcr //p' "$name.guest" | tr A-F a-f | sort >"$name.guest.pcrs"
  sed -n 's/^log //p' "$name.guest" | base64 -d >"$name.log.bin"
  [ "$(wc -l <"$name.pcrs")" = 96 ] || fail "$name: the vTPM reports $(wc -l <"$name.pcrs") PCRs, not 4 banks of 24"
  cmp -s "$name.pcrs" "$name.guest.pcrs" ||
    fail "$name: a PCR is another in the guest: $(diff "$name.pcrs" "$name.guest.pcrs" | sed -n 2p)"
  [ -s "$name.log.bin" ] || fail "$name: the guest's kernel has no event log"
  log_verify "$name" "$name.pcrs" || fail "$name: the log does not explain the PCRs: see $name.verify"

  # It is the log of this boot, and a PCR that it does not explain is found.
  "$bootseal" log show "$name.log.bin" >"$name.show"
  for what in "Secure Boot is $2" 'shim, /EFI/BOOT/BOOTX64.EFI' 'GRUB, /EFI/BOOT/grubx64.efi' \
    'GRUB read the file .*/EFI/debian/grub.cfg' 'GRUB read the file /boot/vmlinuz' 'GRUB read the file /boot/initrd.img'; do
    grep -q "$what" "$name.show" || fail "$name: the log does not say: $what"
  done
  awk '$1 == "sha384" && $2 == 0 { v = $3 } $1 == "sha384" && $2 == 4 { $3 = v } 1' "$name.pcrs" >"$name.wrong"
  ! log_verify "$name" "$name.wrong" || fail "$name: the log explains a PCR that was changed"
  echo "ok $name: $(($(wc -l <"$name.show") - 1)) events explain the PCRs of four banks, after $3 s"
}

# Both interfaces at a time: a core each.
for secure_boot in off on; do
  case $secure_boot in
  on) files=(OVMF_CODE_4M.secboot.fd OVMF_VARS_4M.ms.fd) ;;
  off) files=(OVMF_CODE_4M.fd OVMF_VARS_4M.fd) ;;
  esac
  began=$SECONDS
  declare -A vms=()
  for device in crb tis; do
    start $device-$secure_boot tpm-$device "${files[@]}"
    vms[$device-$secure_boot]=$qemu
  done
  for name in "${!vms[@]}"; do
    until_there $patience booted "$name" ||
      fail "$name: not booted after $patience s; the console ends: $(tail -c 200 "$name.console" | tr -c '[:print:]' ' ')"
    hold "$name" $secure_boot $((SECONDS - began))
    quit "$name" "${vms[$name]}"
  done
done
