# Starting, testing, asking the TPM about itself.
. "$LIB"

check "tpm2_startup: again is no error" tpm2_startup -c
check "tpm2_selftest: full" tpm2_selftest --fulltest
check "tpm2_selftest: what is left" tpm2_selftest
prints "tpm2_incrementalselftest: nothing is left to test" complete tpm2_incrementalselftest rsa sha256 ecdsa
prints "tpm2_gettestresult: success" 'status: *success' tpm2_gettestresult

prints "tpm2_getrandom: as many bytes as asked for" '^[0-9a-f]{40}$' tpm2_getrandom --hex 20
differ() { [ "$(tpm2_getrandom --hex 16)" != "$(tpm2_getrandom --hex 16)" ]; }
check "tpm2_getrandom: others each time" differ
refused "tpm2_getrandom: more than the largest digest" 'exceed|size' tpm2_getrandom 2000
head -c 128 /dev/zero >entropy
check "tpm2_stirrandom: a file" tpm2_stirrandom entropy
head -c 129 /dev/zero >too-much
refused "tpm2_stirrandom: more than a command takes" 'size|128' tpm2_stirrandom too-much

for c in $(tpm2_getcap -l | sed 's/^- //'); do
  if [ "$c" = vendor ]; then
    refused "tpm2_getcap: $c, there is none" . tpm2_getcap "$c"
  else
    check "tpm2_getcap: $c" tpm2_getcap "$c"
  fi
done
prints "tpm2_getcap: the family" 'value: "2\.0"' tpm2_getcap properties-fixed
prints "tpm2_getcap: a command" '^TPM2_CC_Unseal:' tpm2_getcap commands
prints "tpm2_getcap: an algorithm" '^sha256:' tpm2_getcap algorithms
prints "tpm2_getcap: a curve" 'TPM2_ECC_NIST_P256: 0x3' tpm2_getcap ecc-curves
prints "tpm2_getcap: the banks" '^ *- sha256: \[ 0, 1,.* 23 \]' tpm2_getcap pcrs

prints "tpm2_rc_decode: a code with a parameter" 'parameter\(1\)' tpm2_rc_decode 0x1d5
prints "tpm2_rc_decode: a code without" 'TPM not initialized|not initialized' tpm2_rc_decode 0x100
for parms in rsa2048 rsa2048:rsapss ecc256:ecdsa-sha256 ecc384 aes128cfb aes256 hmac hmac:sha384 xor:sha256; do
  check "tpm2_testparms: $parms" tpm2_testparms "$parms"
done
refused "tpm2_testparms: a size that does not exist" 'value is out of range|Unsupported|unsupported' tpm2_testparms rsa1023
refused "tpm2_testparms: a scheme of another kind" . tpm2_testparms ecc256:rsassa

prints "tpm2_readclock: the counters of a new TPM" 'reset_count: *[01]$' tpm2_readclock
check "tpm2_setclock: forward" tpm2_setclock 1000000000
prints "tpm2_setclock: the clock shows it" '^ *clock: *100000[0-9]{4}$' tpm2_readclock
refused "tpm2_setclock: never back" 'parameter\(1\)' tpm2_setclock 1
for rate in s ss sss f ff fff; do check "tpm2_clockrateadjust: $rate" tpm2_clockrateadjust $rate; done
refused "tpm2_clockrateadjust: in both directions" . tpm2_clockrateadjust sf

# The prime of P-256, from FIPS 186, is in the answer.
p256=ffffffff00000001000000000000000000000000ffffffffffffffffffffffff
parameters() { tpm2_geteccparameters ecc256 -o ecc.bin && hex ecc.bin; }
prints "tpm2_geteccparameters: the prime of P-256" "^0003.*0020$p256" parameters
refused "tpm2_geteccparameters: no curve" . tpm2_geteccparameters rsa2048

# TPM2_GetRandom of 8 bytes, as it is on the wire.
unhex 80010000000c0000017b0008 >getrandom.bin
send() { tpm2_send <getrandom.bin >response.bin && hex response.bin; }
prints "tpm2_send: a command as it is" '^8001000000140000000000 *08[0-9a-f]{16}$' send
unhex 80010000000a00000fff >unknown.bin
send() { tpm2_send -o response.bin unknown.bin; hex response.bin; }
prints "tpm2_send: an unknown command has a response code" '^80010000000a00000143$' send
