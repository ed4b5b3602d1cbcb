# Who owns the TPM: authorizations, policies, clearing, lockout.
. "$LIB"

for h in owner endorsement lockout platform; do
  check "tpm2_changeauth: $h" tpm2_changeauth -c $h word
  # One failure locks the lockout hierarchy for as long as its recovery takes.
  [ $h = lockout ] || refused "tpm2_changeauth: $h, with another password" . tpm2_changeauth -c $h -p wrong other
  check "tpm2_changeauth: $h, back to none" tpm2_changeauth -c $h -p word
done

head -c 32 /dev/zero >policy
check "tpm2_setprimarypolicy: of the owner" tpm2_setprimarypolicy -C o -L policy -g sha256
check "tpm2_setprimarypolicy: and none" tpm2_setprimarypolicy -C o

check "tpm2_dictionarylockout: its parameters" tpm2_dictionarylockout -s -n 2 -t 10 -l 20
prints "tpm2_dictionarylockout: they are set" 'TPM2_PT_MAX_AUTH_FAIL: *0x2' tpm2_getcap properties-variable
tpm2_createprimary -Q -C o -G ecc -c srk.ctx
flush
printf secret | tpm2_create -Q -C srk.ctx -i - -p word -u k.pub -r k.priv -c k.ctx
flush
for _ in 1 2; do tpm2_unseal -c k.ctx -p wrong >/dev/null 2>&1; flush; done
refused "tpm2_dictionarylockout: the TPM is locked" 'lockout|0x921' tpm2_unseal -c k.ctx -p word
flush
check "tpm2_dictionarylockout: and unlocked" tpm2_dictionarylockout -c
prints "tpm2_unseal: after the lockout" secret tpm2_unseal -c k.ctx -p word
flush

tpm2_evictcontrol -Q -C o -c srk.ctx 0x81000001
flush
check "tpm2_clearcontrol: not by lockout" tpm2_clearcontrol -C l s
refused "tpm2_clear: not allowed" . tpm2_clear -c l
check "tpm2_clearcontrol: the platform allows it" tpm2_clearcontrol -C p c
check "tpm2_clear: with lockout" tpm2_clear -c l
refused "tpm2_clear: what was kept is gone" . tpm2_readpublic -c 0x81000001
tpm2_createprimary -Q -C o -G ecc -c other.ctx
tpm2_readpublic -Q -c other.ctx -n after.name
flush
check "tpm2_clear: the owner's keys are others" bash -c 'tpm2_createprimary -Q -C o -G ecc -c x.ctx && tpm2_readpublic -Q -c x.ctx -n x.name && cmp x.name after.name'
flush

name_of() { tpm2_createprimary -Q -C "$1" -G ecc -c x.ctx && tpm2_readpublic -Q -c x.ctx -n "$2" && { flush || true; }; }
name_of e e1 && name_of p p1
check "tpm2_changeeps: a new endorsement seed" tpm2_changeeps
check "tpm2_changeeps: other endorsement keys" bash -c '! cmp -s e1 e2' "$(name_of e e2)"
check "tpm2_changepps: a new platform seed" tpm2_changepps
check "tpm2_changepps: other platform keys" bash -c '! cmp -s p1 p2' "$(name_of p p2)"

check "tpm2_hierarchycontrol: the owner's off" tpm2_hierarchycontrol -C p shEnable clear
refused "tpm2_hierarchycontrol: nothing is created there" . tpm2_createprimary -Q -C o -c x.ctx
check "tpm2_hierarchycontrol: on again" tpm2_hierarchycontrol -C p shEnable set
check "tpm2_hierarchycontrol: the platform's off" tpm2_hierarchycontrol -C p phEnable clear
refused "tpm2_hierarchycontrol: until the next reset" . tpm2_hierarchycontrol -C p phEnable set

check "tpm2_shutdown: keep the state" tpm2_shutdown
check "tpm2_shutdown: clear" tpm2_shutdown -c
