# PCRs, quotes of them, and what was measured into them.
. "$LIB"

zeros=0000000000000000000000000000000000000000000000000000000000000000
prints "tpm2_pcrread: a fresh PCR is zero" "16 *: 0x$zeros" tpm2_pcrread sha256:16
check "tpm2_pcrread: every bank" tpm2_pcrread sha1:0,1+sha256:0,23+sha384:all
refused "tpm2_pcrread: a PCR that does not exist" '.' tpm2_pcrread sha256:24

digest=$(printf hello | sha256sum | cut -d' ' -f1)
check "tpm2_pcrextend: a digest" tpm2_pcrextend 16:sha256=$digest
want=$(printf '%s%s' $zeros "$digest" | xxd -r -p | sha256sum | cut -d' ' -f1)
prints "tpm2_pcrextend: the hash of both" "0x$want" tpm2_pcrread sha256:16
check "tpm2_pcrextend: two banks at once" tpm2_pcrextend 16:sha1=f1d2d2f924e986ac86fdf7b36c94bcdf32beec15,sha256=$digest
refused "tpm2_pcrextend: a digest of another size" '.' tpm2_pcrextend 16:sha256=0102

printf hello >event
check "tpm2_pcrevent: a file into a PCR" tpm2_pcrevent 23 event
prints "tpm2_pcrevent: without a PCR, its digests" "sha256: *$digest" tpm2_pcrevent event
check "tpm2_pcrreset: the debug PCR" tpm2_pcrreset 16
prints "tpm2_pcrreset: it is zero again" "0x$zeros" tpm2_pcrread sha256:16
refused "tpm2_pcrreset: a PCR of the static root of trust" '.' tpm2_pcrreset 0
prints "tpm2_pcrallocate: which banks after the next reset" 'sha256' tpm2_pcrallocate sha1:none+sha256:all+sha384:all+sha512:all
check "tpm2_pcrallocate: all of them again" tpm2_pcrallocate sha1:all+sha256:all+sha384:all+sha512:all

check "tpm2_createak: a key to quote with" bash -c 'tpm2_createek -c ek.ctx -G rsa -u ek.pub && tpm2_createak -C ek.ctx -c ak.ctx -G rsa -g sha256 -s rsassa -u ak.pub -f pem -n ak.name'
flush
check "tpm2_quote: RSASSA" tpm2_quote -c ak.ctx -l sha256:0,1,16 -q abc123 -m quote.msg -s quote.sig -o quote.pcrs -g sha256
check "tpm2_checkquote: it is authentic" tpm2_checkquote -u ak.pub -m quote.msg -s quote.sig -f quote.pcrs -g sha256 -q abc123
refused "tpm2_checkquote: another nonce" '.' tpm2_checkquote -u ak.pub -m quote.msg -s quote.sig -f quote.pcrs -g sha256 -q abc124
prints "tpm2_print: a quote" 'magic: ff544347' tpm2_print -t TPMS_ATTEST quote.msg
flush
check "tpm2_createprimary: an ECC key to sign with" tpm2_createprimary -C o -G ecc256:ecdsa-sha256:null -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign' -c ecc.ctx
check "tpm2_quote: ECDSA" tpm2_quote -c ecc.ctx -l sha384:7 -m quote.msg -s quote.sig -o quote.pcrs -g sha256
check "tpm2_readpublic: the key that quoted" tpm2_readpublic -c ecc.ctx -f pem -o ecc.pem
check "tpm2_checkquote: ECDSA" tpm2_checkquote -u ecc.pem -m quote.msg -s quote.sig -f quote.pcrs -g sha256

# An event log with one event: EV_EFI_ACTION in PCR 5, behind a Spec ID event.
{
  printf '\0\0\0\0\3\0\0\0%020d' 0 | head -c 8
  head -c 20 /dev/zero
  printf '\x21\0\0\0Spec ID Event03\0\0\0\0\0\0\2\0\2\1\0\0\0\x0b\0\x20\0\0'
  printf '\5\0\0\0\7\0\0\x80\1\0\0\0\x0b\0'
  printf 'Exit' | sha256sum | cut -d' ' -f1 | xxd -r -p
  printf '\4\0\0\0Exit'
} >log
prints "tpm2_eventlog: an event of firmware" 'EV_EFI_ACTION' tpm2_eventlog log
