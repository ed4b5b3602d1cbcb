# PCRs, and the log of what was measured into them.
. "$LIB"

prints "tpm2_pcrread: a fresh PCR is zero" "^ *16: *0x$zeros$" tpm2_pcrread sha256:16
prints "tpm2_pcrread: a PCR of the dynamic root of trust is not" "^ *17: *0x${zeros//0/F}$" tpm2_pcrread sha256:17
check "tpm2_pcrread: every bank" tpm2_pcrread sha1:0,1+sha256:0,23+sha384:all
read_to_file() { tpm2_pcrread -Q -o pcrs.bin sha256:0,1 && holds pcrs.bin $zeros$zeros; }
check "tpm2_pcrread: values into a file" read_to_file

digest=$(printf hello | sha256sum | cut -d' ' -f1)
once=$(sha256 $zeros "$digest")
check "tpm2_pcrextend: a digest" tpm2_pcrextend 16:sha256="$digest"
prints "tpm2_pcrextend: the hash of both" "0x${once^^}" tpm2_pcrread sha256:16
check "tpm2_pcrextend: two banks at once" tpm2_pcrextend 16:sha1=f1d2d2f924e986ac86fdf7b36c94bcdf32beec15,sha256="$digest"
twice=$(sha256 "$once" "$digest")
prints "tpm2_pcrextend: again" "0x${twice^^}" tpm2_pcrread sha256:16
refused "tpm2_pcrextend: a digest of another size" . tpm2_pcrextend 16:sha256=0102
refused "tpm2_pcrextend: a PCR of another locality" 'locality' tpm2_pcrextend 17:sha256="$digest"

printf hello >event
check "tpm2_pcrevent: a file into a PCR" tpm2_pcrevent 23 event
prints "tpm2_pcrevent: extends its digest" "0x${once^^}" tpm2_pcrread sha256:23
prints "tpm2_pcrevent: without a PCR, its digests" "sha256: *$digest" tpm2_pcrevent event
head -c 3000 /dev/zero >long
prints "tpm2_pcrevent: longer than a command" "sha256: *$(sha256sum long | cut -d' ' -f1)" tpm2_pcrevent long
check "tpm2_pcrreset: the debug PCR" tpm2_pcrreset 16
prints "tpm2_pcrreset: it is zero again" "0x$zeros" tpm2_pcrread sha256:16
refused "tpm2_pcrreset: a PCR of the static root of trust" 'locality' tpm2_pcrreset 0
check "tpm2_pcrallocate: which banks after the next reset" tpm2_pcrallocate sha1:none+sha256:all+sha384:all+sha512:all
prints "tpm2_pcrread: until then, as before" "^ *0 *: *0x${zeros:0:40}$" tpm2_pcrread sha1:0
check "tpm2_pcrallocate: all of them again" tpm2_pcrallocate sha1:all+sha256:all+sha384:all+sha512:all
refused "tpm2_pcrallocate: not a bank" . tpm2_pcrallocate keyedhash:all

# A log with a Spec ID event, and EV_EFI_ACTION in PCR 5.
{
  unhex 00000000 03000000 00000000000000000000000000000000 00000000 21000000 # PCR 0, EV_NO_ACTION, no digest, 33 bytes
  printf 'Spec ID Event03\0'
  unhex 00000000 00 02 00 02 01000000 0b00 2000 00 # SHA-256 is its one bank
  unhex 05000000 07000080 01000000 0b00 "$(printf Exit | sha256sum | cut -d' ' -f1)" 04000000
  printf Exit
} >log
exit_pcr=$(sha256 $zeros "$(printf Exit | sha256sum | cut -d' ' -f1)")
prints "tpm2_eventlog: an event" 'EventType: EV_EFI_ACTION' tpm2_eventlog log
prints "tpm2_eventlog: what the PCR should be" "5 *: 0x$exit_pcr" tpm2_eventlog log
truncate -s -2 log
refused "tpm2_eventlog: one that is cut off" . tpm2_eventlog log
