# Hierarchies: their authorization, their seeds, switching them off; the defense
# against guessing; clearing.
. "$LIB"

given tpm2_createprimary -C o -G ecc -c srk.ctx
name() { tpm2_createprimary -Q -C "$1" -G ecc -c n.ctx && tpm2_readpublic -Q -c n.ctx -n n.name && hex n.name; }
for h in o e l p; do
  check "tpm2_changeauth: hierarchy $h" tpm2_changeauth -c $h password
  refused "tpm2_changeauth: hierarchy $h needs the old one" 'authorization' tpm2_changeauth -c $h -p wrong other
  if [ $h = l ]; then
    refused "tpm2_changeauth: one wrong lockout password locks it" 'lockout|locked|authorization' tpm2_changeauth -c l -p password ""
    continue
  fi
  check "tpm2_changeauth: hierarchy $h, none again" tpm2_changeauth -c $h -p password
done
check "tpm2_clear: by the platform" tpm2_clear -c p

check "tpm2_dictionarylockout: its parameters" tpm2_dictionarylockout -s -n 5 -t 6 -l 7
prints "tpm2_getcap: the tries" 'MAX_AUTH_FAIL: 0x5' tpm2_getcap properties-variable
prints "tpm2_getcap: the recovery" 'LOCKOUT_INTERVAL: 0x6' tpm2_getcap properties-variable
check "tpm2_dictionarylockout: few tries" tpm2_dictionarylockout -s -n 2 -t 1000 -l 1000
given tpm2_createprimary -C o -G ecc -c srk.ctx
printf 'a secret' >secret
given tpm2_create -C srk.ctx -i secret -p open -u x.pub -r x.priv -c sealed.ctx
refused "tpm2_unseal: a first try" 'authorization' tpm2_unseal -c sealed.ctx -p one
refused "tpm2_unseal: a second try" 'authorization' tpm2_unseal -c sealed.ctx -p two
refused "tpm2_unseal: then not even the password" 'lockout|locked' tpm2_unseal -c sealed.ctx -p open
prints "tpm2_getcap: it is locked" 'inLockout: *1' tpm2_getcap properties-variable
check "tpm2_dictionarylockout: clear" tpm2_dictionarylockout -c
prints "tpm2_unseal: then again" '^a secret$' tpm2_unseal -c sealed.ctx -p open

unhex $zeros >zero.policy
check "tpm2_setprimarypolicy: of the lockout" tpm2_setprimarypolicy -C l -L zero.policy -g sha256
check "tpm2_clearcontrol: no clearing" tpm2_clearcontrol -C l s
refused "tpm2_clear: it is disabled" 'disabled' tpm2_clear
refused "tpm2_clearcontrol: the lockout cannot allow it" . tpm2_clearcontrol -C l c
check "tpm2_clearcontrol: the platform can" tpm2_clearcontrol -C p c
owner=$(name o) endorsement=$(name e) platform=$(name p)
given tpm2_evictcontrol -C o -c srk.ctx 0x81000001
check "tpm2_clear: by the lockout" tpm2_clear
other() { [ "$(name "$1")" != "$2" ]; }
same() { [ "$(name "$1")" = "$2" ]; }
check "tpm2_clear: the owner's seed is another" other o "$owner"
check "tpm2_clear: the endorsement's is not" same e "$endorsement"
prints "tpm2_clear: persistent objects are gone" '^$' tpm2_getcap handles-persistent
reload() { tpm2_createprimary -Q -C o -G ecc -c srk.ctx && tpm2_load -C srk.ctx -u x.pub -r x.priv -c x.ctx; }
refused "tpm2_load: and what was under them" 'integrity' reload

check "tpm2_changeeps: another endorsement seed" tpm2_changeeps
check "tpm2_changeeps: its keys are others" other e "$endorsement"
check "tpm2_changepps: another platform seed" tpm2_changepps
check "tpm2_changepps: its keys are others" other p "$platform"

p=tpm2_hierarchycontrol
check "$p: the owner's off" $p -C o shEnable clear
refused "$p: then no owner's keys" 'hierarchy' tpm2_createprimary -C o -G ecc -c x.ctx
refused "$p: nor can the owner change that" . $p -C o shEnable set
check "$p: the platform can" $p -C p shEnable set
check "$p: and there are keys again" tpm2_createprimary -C o -G ecc -c x.ctx
check "$p: the endorsement's off" $p -C e ehEnable clear
check "$p: and on" $p -C p ehEnable set
check "$p: NV of the platform off" $p -C p phEnableNV clear
prints "$p: is told" 'phEnableNV: *0' tpm2_getcap properties-variable
check "$p: and on, of the platform" $p -C p phEnableNV set
check "$p: the platform itself off" $p -C p phEnable clear
refused "$p: and not on before a restart" 'hierarchy|handle' $p -C p phEnable set
