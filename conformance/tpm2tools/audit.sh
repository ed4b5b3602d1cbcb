# Audits: of commands, and of sessions. The digests are what was done, hashed here
# again.
. "$LIB"

ak='fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign'
given tpm2_createprimary -C e -G ecc256:ecdsa-sha256:null -a "$ak" -c ak.ctx
given tpm2_readpublic -c ak.ctx -f pem -o ak.pem
nonce=0011223344556677

attested() { openssl dgst -sha256 -verify ak.pem -signature sig attest && [[ $(hex attest) == ff544347$1*$nonce*$2 ]]; }
of_commands() { # DIGEST: the commands that are audited, at the end of what is attested
  tpm2_getcommandauditdigest -c ak.ctx -g sha256 -f plain -m attest -s sig -q $nonce
  attested 8015 "$1"
}
done_once() { # the audit digest of one command, from its cpHash and rpHash
  sha256 $zeros "$(tail -c 32 cp.hash | xxd -p -c 32)" "$(tail -c 32 rp.hash | xxd -p -c 32)"
}
prints "tpm2_getcap: nothing is audited yet" 'AUDIT_COUNTER_1: 0x0' tpm2_getcap properties-variable
check "tpm2_setcommandauditstatus: the hash" tpm2_setcommandauditstatus -g sha256
set_status=00000140
check "tpm2_getcommandauditdigest: setting it is audited" of_commands "$(sha256 $set_status)"
check "tpm2_setcommandauditstatus: a command" tpm2_setcommandauditstatus TPM2_CC_GetRandom
commands=$(sha256 $set_status 0000017b)
check "tpm2_getcommandauditdigest: which commands" of_commands "$commands"
# Reading the digest clears it: the next audited command extends zero.
random() { tpm2_getrandom 8 --cphash cp.hash --rphash rp.hash && of_commands "0020$(done_once)0020$commands"; }
check "tpm2_getcommandauditdigest: what was done" random
check "tpm2_setcommandauditstatus: no longer" tpm2_setcommandauditstatus --clear-list TPM2_CC_GetRandom
check "tpm2_getcommandauditdigest: none but itself" of_commands "$(sha256 $set_status)"
refused "tpm2_setcommandauditstatus: not both hash and command" . tpm2_setcommandauditstatus -C l TPM2_CC_GetRandom

audited() { # TOOL ARGS...: a session audits one command; cpHash and rpHash are from the tool
  end_session
  tpm2_startauthsession -Q --audit-session -S s.ctx
  "$@" -S s.ctx --cphash cp.hash --rphash rp.hash
  tpm2_getsessionauditdigest -c ak.ctx -g sha256 -f plain -m attest -s sig -q $nonce -S s.ctx
  attested 8016 "$(done_once)"
}
p=tpm2_getsessionauditdigest
check "$p: of GetRandom" audited tpm2_getrandom 8
check "$p: of NV_DefineSpace" audited tpm2_nvdefine 0x1500050 -C o -s 9 -a 'ownerread|ownerwrite|authread|authwrite'
printf 'some data' >data
check "$p: of NV_Write" audited tpm2_nvwrite 0x1500050 -C o -i data
check "$p: of NV_Read" audited tpm2_nvread 0x1500050 -C o
given tpm2_createprimary -C o -G ecc -c srk.ctx
check "$p: of Create" audited tpm2_create -C srk.ctx -i data -u x.pub -r x.priv
given tpm2_load -C srk.ctx -u x.pub -r x.priv -c x.ctx
check "$p: of Unseal" audited tpm2_unseal -c x.ctx
check "$p: of HierarchyChangeAuth" audited tpm2_changeauth -c o owner
