# Policies about the command, its caller, and the state of the TPM. Each has the
# digest that the specification gives it, and opens or does not.
. "$LIB"

given tpm2_createprimary -C o -G ecc -c srk.ctx
given tpm2_readpublic -c srk.ctx -n srk.name
printf 'a secret' >secret
sealed() { # TOOL ARGS...: seals the secret to the policy of one tool, as TOOL.ctx
  tpm2_create -Q -C srk.ctx -i secret -a 'fixedtpm|fixedparent' -L "$1.policy" -u x.pub -r x.priv -c "$1.ctx" "${@:2}"
}
opens() { # AUTH TOOL ARGS...: opens what is sealed to it
  policy_session
  "${@:2}" -S s.ctx
  tpm2_unseal -c "$2.ctx" -p "session:s.ctx$1"
}

p=tpm2_policyauthvalue
check "$p: its digest" specifies "$(update $zeros 0000016b)" $p
given sealed $p -p open
prints "$p: with the authValue" '^a secret$' opens +open $p
refused "$p: with another" 'authorization' opens +shut $p
p=tpm2_policypassword
check "$p: its digest" specifies "$(update $zeros 0000016b)" $p
given sealed $p -p open
prints "$p: with the password" '^a secret$' opens +open $p
refused "$p: with another" 'authorization' opens +shut $p

p=tpm2_policycommandcode
check "$p: its digest" specifies "$(update $zeros 0000016c 0000015e)" $p TPM2_CC_Unseal
given sealed $p
prints "$p: for this command" '^a secret$' opens "" $p TPM2_CC_Unseal
refused "$p: not for another" 'policy|command code' opens "" $p TPM2_CC_Sign

p=tpm2_policylocality
check "$p: its digest" specifies "$(update $zeros 0000016f 01)" $p zero
given sealed $p
prints "$p: the tools' locality" '^a secret$' opens "" $p zero
check "$p: the digest of another" specifies "$(update $zeros 0000016f 08)" $p three
given sealed $p
refused "$p: another locality" 'locality' opens "" $p three

p=tpm2_policypcr
selection=00000001000b03000080 # one bank, SHA-256, 3 octets: PCR 23 is bit 7 of the third
check "$p: its digest" specifies "$(update $zeros 0000017f $selection "$(sha256 $zeros)")" $p -l sha256:23
given sealed $p
prints "$p: while the PCR is so" '^a secret$' opens "" $p -l sha256:23
given tpm2_pcrextend 23:sha256=$zeros
refused "$p: not when it has changed" 'policy' opens "" $p -l sha256:23

p=tpm2_policycountertimer
# The clock, at offset 8 of TPMS_TIME_INFO, is less (unsigned) than a year.
year=31536000000
arguments=$(sha256 "$(printf %016x $year)" 0008 0005)
check "$p: its digest" specifies "$(update $zeros 0000016d "$arguments")" $p --ult clock=$year
given sealed $p
prints "$p: while it is so" '^a secret$' opens "" $p --ult clock=$year
refused "$p: not when it is not" 'policy' opens "" $p --ugt clock=$year
safe() { policy_session && tpm2_policycountertimer -S s.ctx --eq safe; }
check "$p: the clock is safe" safe

p=tpm2_policynamehash
name_hash=$(sha256 "$(hex srk.name)")
unhex "$name_hash" >name.hash
check "$p: its digest" specifies "$(update $zeros 00000170 "$name_hash")" $p -n name.hash
given sealed $p
refused "$p: not for another object" 'policy' opens "" $p -n name.hash

p=tpm2_policycphash
given tpm2_nvdefine 0x1500020 -C o -a 'ownerread|ownerwrite|nt=bits'
given tpm2_nvsetbits 0x1500020 -C o -i 1 --cphash cp.hash
check "$p: its digest" specifies "$(update $zeros 0000016e "$(tail -c 32 cp.hash | xxd -p -c 32)")" $p --cphash-input cp.hash
given tpm2_setprimarypolicy -C o -L $p.policy -g sha256
owner() { policy_session && tpm2_policycphash -S s.ctx --cphash-input cp.hash && tpm2_nvsetbits 0x1500020 -C o "$@" -P session:s.ctx; }
check "$p: for these parameters" owner -i 1
refused "$p: not for others" 'policy' owner -i 2
given tpm2_setprimarypolicy -C o

p=tpm2_policytemplate
given tpm2_createprimary -C o -G ecc -c x.ctx --template-data template
sha256sum template | cut -d' ' -f1 | xxd -r -p >template.hash
check "$p: its digest" specifies "$(update $zeros 00000190 "$(hex template.hash)")" $p --template-hash template.hash
given tpm2_setprimarypolicy -C o -L $p.policy -g sha256
primary() { policy_session && tpm2_policytemplate -S s.ctx --template-hash template.hash && tpm2_createprimary -C o -G "$1" -c x.ctx -P session:s.ctx; }
check "$p: for this template" primary ecc
refused "$p: not for another" 'policy' primary rsa
given tpm2_setprimarypolicy -C o

p=tpm2_policynvwritten
check "$p: its digest" specifies "$(update $zeros 0000018f 00)" $p c
given tpm2_nvdefine 0x1500021 -C o -s 1 -a 'authread|policywrite' -L $p.policy
once() { policy_session && tpm2_policynvwritten -S s.ctx c && printf x | tpm2_nvwrite 0x1500021 -i - -P session:s.ctx; }
check "$p: the first time" once
refused "$p: not twice" 'policy' once

p=tpm2_policynv
given tpm2_nvdefine 0x1500022 -C o -s 8 -a 'ownerread|ownerwrite|authread'
given bash -c 'printf "\0\0\0\0\0\0\0\5" | tpm2_nvwrite 0x1500022 -C o -i -'
[[ $(tpm2_nvreadpublic 0x1500022) =~ name:\ ([0-9a-f]+) ]] && nv_name=${BASH_REMATCH[1]}
unhex 0000000000000004 >four
arguments=$(sha256 "$(hex four)" 0000 0003) # TPM_EO_UNSIGNED_GT
check "$p: its digest" specifies "$(update $zeros 00000149 "$arguments" "$nv_name")" $p -C o -i four 0x1500022 ugt
given sealed $p
prints "$p: five is more than four" '^a secret$' opens "" $p -C o -i four 0x1500022 ugt
refused "$p: it is not less" 'policy' opens "" $p -C o -i four 0x1500022 ult
for op in neq sgt sge uge; do check "$p: $op" trial x.policy $p -C o -i four 0x1500022 $op; done
holds_now() { policy_session && tpm2_policynv -S s.ctx -C o -i four 0x1500022 "$1"; }
for op in neq sgt ugt sge uge bs; do
  case $op in bs) check "$p: bits set" holds_now bs ;; *) check "$p: $op holds" holds_now $op ;; esac
done
for op in eq slt ult sle ule bc; do refused "$p: $op does not" 'policy' holds_now $op; done
unhex fffffffffffffffe >minus-two
unhex fffffffffffffffd >minus-three
given tpm2_nvwrite 0x1500022 -C o -i minus-two
signed() { policy_session && tpm2_policynv -S s.ctx -C o -i minus-three 0x1500022 "$1"; }
if [ "$TPM" = swtpm ]; then
  skip "$p: of two negative numbers" "libtpms 0.9.2 compares them as sign and magnitude"
else
  check "$p: minus two is more than minus three" signed sgt
  refused "$p: and not less" 'policy' signed slt
fi

p=tpm2_policyor
given trial one.policy tpm2_policycommandcode TPM2_CC_Unseal
given trial two.policy tpm2_policylocality four
check "$p: its digest" specifies "$(update $zeros 00000171 "$(hex one.policy)" "$(hex two.policy)")" $p -l sha256:one.policy,two.policy
given sealed $p
either() { policy_session && "${@:1}" -S s.ctx && tpm2_policyor -S s.ctx -l sha256:one.policy,two.policy && tpm2_unseal -c $p.ctx -p session:s.ctx; }
prints "$p: one of both" '^a secret$' either tpm2_policycommandcode TPM2_CC_Unseal
refused "$p: not a third" 'parameter|value' either tpm2_policyauthvalue

p=tpm2_policyduplicationselect
parent=$(hex srk.name)
check "$p: its digest" specifies "$(update $zeros 00000188 "$parent" 00)" $p -N srk.name
given tpm2_create -C srk.ctx -G ecc -L $p.policy -a 'sensitivedataorigin|userwithauth|sign' -u x.pub -r x.priv -c dup.ctx
given tpm2_readpublic -c dup.ctx -n dup.name
given tpm2_createprimary -C n -G ecc -c other.ctx
select_parent() { policy_session && tpm2_policyduplicationselect -S s.ctx -n dup.name -N srk.name && tpm2_duplicate -C "$1" -c dup.ctx -G null -p session:s.ctx -r dup.priv -s dup.seed; }
check "$p: to this parent" select_parent srk.ctx
refused "$p: not to another" 'policy' select_parent other.ctx

p=tpm2_policyrestart
restarted() {
  policy_session
  tpm2_policyauthvalue -Q -S s.ctx
  tpm2_policyrestart -S s.ctx
  tpm2_policycommandcode -S s.ctx TPM2_CC_Unseal
  tpm2_unseal -c tpm2_policycommandcode.ctx -p session:s.ctx
}
prints "$p: from the beginning" '^a secret$' restarted
p=tpm2_getpolicydigest
digest() { policy_session && tpm2_policyauthvalue -Q -S s.ctx && tpm2_getpolicydigest -S s.ctx -o now && holds now "$(update $zeros 0000016b)"; }
check "$p: where a session is" digest
digest() { policy_session && tpm2_policyauthvalue -Q -S s.ctx && tpm2_policyrestart -S s.ctx && tpm2_getpolicydigest -S s.ctx -o now && holds now $zeros; }
check "$p: zero after a restart" digest

p=tpm2_setprimarypolicy
given trial owner.policy tpm2_policycommandcode TPM2_CC_EvictControl
check "$p: of the owner" $p -C o -L owner.policy -g sha256
by_policy() { policy_session && tpm2_policycommandcode -Q -S s.ctx TPM2_CC_EvictControl && tpm2_evictcontrol -C o -c srk.ctx 0x81000007 -P session:s.ctx; }
check "$p: it authorizes" by_policy
check "$p: none again" $p -C o
refused "$p: then it does not" 'not available' by_policy
