# Data sealed to a TPM, to a password, to PCRs.
. "$LIB"

given tpm2_createprimary -C o -G ecc -c srk.ctx
printf 'a secret' >secret
check "tpm2_create: sealed data" tpm2_create -C srk.ctx -i secret -u sealed.pub -r sealed.priv
check "tpm2_load: sealed data" tpm2_load -C srk.ctx -u sealed.pub -r sealed.priv -c sealed.ctx
prints "tpm2_unseal: what was sealed" '^a secret$' tpm2_unseal -c sealed.ctx
check "tpm2_create: sealed with a password" tpm2_create -C srk.ctx -i secret -u locked.pub -r locked.priv -p open -c locked.ctx
prints "tpm2_unseal: with the password" '^a secret$' tpm2_unseal -c locked.ctx -p open
refused "tpm2_unseal: with another" 'authorization' tpm2_unseal -c locked.ctx -p shut
check "tpm2_dictionarylockout: forget the try" tpm2_dictionarylockout -c
head -c 128 /dev/urandom >largest
largest() { tpm2_create -Q -C srk.ctx -i largest -u x.pub -r x.priv -c x.ctx && tpm2_unseal -c x.ctx -o unsealed && cmp unsealed largest; }
check "tpm2_unseal: as much as can be sealed" largest
head -c 129 /dev/urandom >too-much
refused "tpm2_create: more than that" . tpm2_create -C srk.ctx -i too-much -u x.pub -r x.priv
given tpm2_create -Q -C srk.ctx -G ecc -c key.ctx
refused "tpm2_unseal: a key is no data" 'type' tpm2_unseal -c key.ctx

check "tpm2_createpolicy: a policy of PCRs" tpm2_createpolicy --policy-pcr -l sha256:16,23 -L pcr.policy
# TPM2_PolicyPCR: H(0, code, the selection of PCRs 16 and 23 of SHA-256, H(their values))
pcr_policy=$(sha256 $zeros 0000017f 00000001000b03000081 "$(sha256 $zeros$zeros)")
check "tpm2_createpolicy: the digest of the specification" holds pcr.policy "$pcr_policy"
given tpm2_create -C srk.ctx -i secret -u pcr.pub -r pcr.priv -L pcr.policy -a 'fixedtpm|fixedparent' -c pcr.ctx
prints "tpm2_unseal: while the PCRs are so" '^a secret$' tpm2_unseal -c pcr.ctx -p pcr:sha256:16,23
refused "tpm2_unseal: not without the policy" 'policy|authorization|authValue|auth' tpm2_unseal -c pcr.ctx
given tpm2_pcrextend 16:sha256=$zeros
refused "tpm2_unseal: not when they have changed" 'policy check failed' tpm2_unseal -c pcr.ctx -p pcr:sha256:16,23
given tpm2_pcrreset 16
prints "tpm2_unseal: when they are so again" '^a secret$' tpm2_unseal -c pcr.ctx -p pcr:sha256:16,23

# Sealed to what the PCRs will be.
will_be=$(sha256 $zeros "$(sha256 68656c6c6f)")
unhex "$will_be" >future
given tpm2_createpolicy --policy-pcr -l sha256:16 -f future -L future.policy
given tpm2_create -C srk.ctx -i secret -u pcr.pub -r pcr.priv -L future.policy -a 'fixedtpm|fixedparent' -c future.ctx
refused "tpm2_unseal: not before the future" 'policy check failed' tpm2_unseal -c future.ctx -p pcr:sha256:16
given tpm2_pcrextend 16:sha256="$(sha256 68656c6c6f)"
prints "tpm2_unseal: in it" '^a secret$' tpm2_unseal -c future.ctx -p pcr:sha256:16
