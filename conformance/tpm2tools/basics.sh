# Starting, testing, asking the TPM about itself.
. "$LIB"

check "tpm2_startup: clear, again" tpm2_startup -c
check "tpm2_selftest: full" tpm2_selftest --fulltest
check "tpm2_selftest: what is left" tpm2_selftest
prints "tpm2_incrementalselftest: nothing is left to test" 'complete' tpm2_incrementalselftest rsa sha256 ecdsa
prints "tpm2_gettestresult: success" 'status: *success|success' tpm2_gettestresult

prints "tpm2_getrandom: as many bytes as asked for" '^[0-9a-f]{40}$' tpm2_getrandom --hex 20
refused "tpm2_getrandom: more than the largest digest" 'exceed|size' tpm2_getrandom 2000
head -c 128 /dev/zero >entropy
check "tpm2_stirrandom: a file" tpm2_stirrandom entropy
head -c 129 /dev/zero >too-much
refused "tpm2_stirrandom: more than a command takes" '.' tpm2_stirrandom too-much

for c in algorithms commands properties-fixed properties-variable ecc-curves handles-transient \
  handles-persistent handles-permanent handles-pcr handles-nv-index handles-loaded-session handles-saved-session pcrs; do
  check "tpm2_getcap: $c" tpm2_getcap "$c"
done
prints "tpm2_getcap: the family" '2\.0' tpm2_getcap properties-fixed
prints "tpm2_getcap: the command for sealing" 'TPM2_CC_Unseal' tpm2_getcap commands

prints "tpm2_rc_decode: a code with a parameter" 'parameter\(1\)' tpm2_rc_decode 0x1d5
check "tpm2_testparms: RSA" tpm2_testparms rsa2048
check "tpm2_testparms: ECC" tpm2_testparms ecc256:ecdsa-sha256
check "tpm2_testparms: AES" tpm2_testparms aes128cfb
check "tpm2_testparms: a keyed hash" tpm2_testparms hmac
refused "tpm2_testparms: a size that does not exist" '.' tpm2_testparms rsa511

prints "tpm2_readclock: all four counters" 'reset_count: *1' tpm2_readclock
check "tpm2_setclock: forward" tpm2_setclock 1000000000
prints "tpm2_setclock: the clock shows it" 'clock: *10000' tpm2_readclock
refused "tpm2_setclock: never back" 'value is out of range|0x1c4|not correct' tpm2_setclock 1
for rate in s f; do check "tpm2_clockrateadjust: $rate" tpm2_clockrateadjust $rate; done
check "tpm2_clockrateadjust: slower" tpm2_clockrateadjust s

prints "tpm2_geteccparameters: P-256" '.' tpm2_geteccparameters ecc256 -o ecc.bin
check "tpm2_print: the parameters are a structure" test -s ecc.bin

printf '\x80\x01\x00\x00\x00\x0c\x00\x00\x01\x7b\x00\x08' >getrandom.bin
check "tpm2_send: a command as it is" bash -c 'tpm2_send <getrandom.bin >response.bin && [ $(stat -c %s response.bin) = 20 ]'
