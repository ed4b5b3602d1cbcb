# Policies that somebody else fulfills or approves: with a secret, a signature, a
# ticket, an approved digest.
. "$LIB"

given tpm2_createprimary -C o -G ecc -c srk.ctx
printf 'a secret' >secret
openssl genrsa -out signer.pem 2048 2>/dev/null
openssl rsa -in signer.pem -pubout -out signer.pub.pem 2>/dev/null
given tpm2_loadexternal -C o -G rsa -u signer.pub.pem -c signer.ctx -n signer.name
signer=$(hex signer.name)
sealed() { # NAME: seals the secret to NAME.policy, as NAME.ctx
  tpm2_create -Q -C srk.ctx -i secret -a 'fixedtpm|fixedparent' -L "$1.policy" -u x.pub -r x.priv -c "$1.ctx"
}

p=tpm2_policysecret
# Part 3, PolicyUpdate: the hash of the old digest, the code and the Name; then of that and policyRef.
check "$p: its digest" specifies "$(sha256 "$(update $zeros 00000151 40000001)")" $p -c o
given sealed $p
opens() { policy_session && tpm2_policysecret -S s.ctx "$@" && tpm2_unseal -c tpm2_policysecret.ctx -p session:s.ctx; }
prints "$p: who knows it" '^a secret$' opens -c o
given tpm2_changeauth -c o owner
refused "$p: who does not" 'authorization' opens -c o wrong
prints "$p: with its password" '^a secret$' opens -c o owner
ticket() { policy_session && tpm2_policysecret -S s.ctx -c o -t -500 -x --timeout timeout --ticket ticket owner && [ -s ticket ]; }
check "$p: a ticket for later" ticket
given tpm2_changeauth -c o -p owner

p=tpm2_policyticket
unhex 40000001 >owner.name
opens() { policy_session && tpm2_policyticket -S s.ctx -n "$1" --ticket ticket --timeout timeout && tpm2_unseal -c "$2.ctx" -p session:s.ctx; }
prints "$p: of a secret" '^a secret$' opens owner.name tpm2_policysecret
refused "$p: not of another entity" 'ticket' opens signer.name tpm2_policysecret

p=tpm2_policysigned
unsigned() { tpm2_policysigned -c signer.ctx -g sha256 --raw-data to-sign "$@"; } # what is to be signed, and no more
authorized() { # ARGS...: a session, in which the signer signs what the session asks for
  policy_session
  tpm2_policysigned -S s.ctx -c signer.ctx --raw-data to-sign "$@"
  openssl dgst -sha256 -sign signer.pem -out signature to-sign
  tpm2_policysigned -S s.ctx -c signer.ctx -g sha256 -s signature -f rsassa "$@" "${more[@]}"
}
more=()
check "$p: its digest" specifies "$(sha256 "$(update $zeros 00000160 "$signer")")" $p -c signer.ctx
given sealed $p
opens() { authorized "$@" && tpm2_unseal -c tpm2_policysigned.ctx -p session:s.ctx; }
prints "$p: signed for any session" '^a secret$' opens
prints "$p: signed for this session" '^a secret$' opens -x
replayed() { policy_session && tpm2_policysigned -S s.ctx -c signer.ctx -g sha256 -s signature -f rsassa -x && tpm2_unseal -c tpm2_policysigned.ctx -p session:s.ctx; }
refused "$p: not for another session" 'signature' replayed
more=(--timeout timeout --ticket ticket)
check "$p: a ticket for later" opens -x -t -500
more=()
opens() { policy_session && tpm2_policyticket -S s.ctx -n signer.name --ticket ticket --timeout timeout && tpm2_unseal -c tpm2_policysigned.ctx -p session:s.ctx; }
prints "tpm2_policyticket: of a signature" '^a secret$' opens

p=tpm2_policyauthorize
check "$p: its digest" specifies "$(sha256 "$(update $zeros 0000016a "$signer")")" $p -n signer.name
given sealed $p
given trial approved.policy tpm2_policycommandcode TPM2_CC_Unseal
openssl dgst -sha256 -sign signer.pem -out signature approved.policy
check "tpm2_verifysignature: of what is approved" tpm2_verifysignature -c signer.ctx -g sha256 -m approved.policy -s signature -f rsassa -t approved.ticket
opens() {
  policy_session
  tpm2_policycommandcode -S s.ctx "$1"
  tpm2_policyauthorize -S s.ctx -i approved.policy -n signer.name -t approved.ticket
  tpm2_unseal -c tpm2_policyauthorize.ctx -p session:s.ctx
}
prints "$p: what is approved" '^a secret$' opens TPM2_CC_Unseal
refused "$p: not what is not" 'parameter|value|policy' opens TPM2_CC_Sign

p=tpm2_policyauthorizenv
given tpm2_nvdefine 0x1500030 -C o -s 34 -a 'ownerread|ownerwrite|authread'
approve() { { unhex 000b && cat "$1"; } | tpm2_nvwrite 0x1500030 -C o -i -; }
given approve approved.policy
[[ $(tpm2_nvreadpublic 0x1500030) =~ name:\ ([0-9a-f]+) ]] && nv_name=${BASH_REMATCH[1]}
check "$p: its digest" specifies "$(update $zeros 00000192 "$nv_name")" $p -C o 0x1500030
given sealed $p
opens() {
  policy_session
  tpm2_policycommandcode -S s.ctx TPM2_CC_Unseal
  tpm2_policyauthorizenv -S s.ctx -C o 0x1500030
  tpm2_unseal -c tpm2_policyauthorizenv.ctx -p session:s.ctx
}
prints "$p: what the index approves" '^a secret$' opens
given trial other.policy tpm2_policylocality one
given approve other.policy
refused "$p: not what it does no longer" 'policy|value' opens
