# Policies: each digest is the one that its text gives, and each unlocks what it
# should.
. "$LIB"

tpm2_createprimary -Q -C o -G ecc -c srk.ctx
flush
printf 'a secret' >secret

# trial TOOL ARGS...: a trial session, the policy in "policy".
trial() {
  tpm2_startauthsession -S s.ctx && "$@" -S s.ctx -L policy && tpm2_flushcontext s.ctx
}
# seal: seals under "policy".
seal() { tpm2_create -Q -C srk.ctx -i secret -u k.pub -r k.priv -L policy "$@" -c sealed.ctx && { flush || true; }; }
# unseal SESSION-ARGS...: unseals with the session.
unseal() { [ "$(tpm2_unseal -c sealed.ctx -p "session:s.ctx$1")" = 'a secret' ]; }
session() { tpm2_startauthsession --policy-session -S s.ctx; }
finish() { tpm2_flushcontext s.ctx && { flush || true; }; }
refuse() { ! "$@"; local rc=$?; tpm2_flushcontext s.ctx; flush; return $rc; } # COMMAND must fail, then the session ends
digest() { hex policy; }
extend() { xxd -r -p | sha256sum | cut -d' ' -f1; } # of hex digits
zeros=$(head -c 32 /dev/zero | xxd -p -c 64)

with_pcr() { trial tpm2_policypcr -l sha256:10 && seal && session && tpm2_policypcr -S s.ctx -l sha256:10 && unseal "" && finish; }
check "tpm2_policypcr: unlocks" with_pcr
pcr_changed() { session && tpm2_policypcr -S s.ctx -l sha256:10 && tpm2_pcrextend 10:sha256=$zeros && refuse unseal ""; }
check "tpm2_policypcr: not after the PCR changed" pcr_changed
check "tpm2_createpolicy: the same in one tool" bash -c 'tpm2_createpolicy --policy-pcr -l sha256:16 -L one && tpm2_startauthsession -S s.ctx && tpm2_policypcr -S s.ctx -l sha256:16 -L two && tpm2_flushcontext s.ctx && cmp one two'
tpm2_pcrreset 16

with_password() { trial tpm2_policypassword && seal -p word && session && tpm2_policypassword -S s.ctx && unseal +word && finish; }
check "tpm2_policypassword: unlocks" with_password
with_authvalue() { trial tpm2_policyauthvalue && seal -p word && session && tpm2_policyauthvalue -S s.ctx && unseal +word && finish; }
check "tpm2_policyauthvalue: unlocks" with_authvalue
check "tpm2_policyauthvalue: the digest of its text" test "$(digest)" = "$(printf '%s0000016b' $zeros | extend)"

with_code() { trial tpm2_policycommandcode TPM2_CC_Unseal && seal && session && tpm2_policycommandcode -S s.ctx TPM2_CC_Unseal && unseal "" && finish; }
check "tpm2_policycommandcode: unlocks" with_code
check "tpm2_policycommandcode: the digest of its text" test "$(digest)" = "$(printf '%s0000016c0000015e' $zeros | extend)"

with_locality() { trial tpm2_policylocality zero && seal && session && tpm2_policylocality -S s.ctx zero && unseal "" && finish; }
check "tpm2_policylocality: unlocks" with_locality
wrong_locality() { trial tpm2_policylocality three && seal && session && tpm2_policylocality -S s.ctx three && refuse unseal ""; }
check "tpm2_policylocality: not from elsewhere" wrong_locality

with_secret() { trial tpm2_policysecret -c o && seal && session && tpm2_policysecret -S s.ctx -c o && unseal "" && finish; }
check "tpm2_policysecret: unlocks" with_secret
with_ticket() {
  trial tpm2_policysecret -c o && seal && session && tpm2_policysecret -S s.ctx -c o -x --ticket ticket --timeout timeout -t -600 && finish &&
    session && tpm2_readpublic -c srk.ctx -Q && printf '\x40\0\0\1' >owner.name &&
    tpm2_policyticket -S s.ctx -n owner.name --ticket ticket --timeout timeout && unseal "" && finish
}
check "tpm2_policyticket: of PolicySecret" with_ticket

openssl genrsa -out authority.pem 2048 2>/dev/null
openssl rsa -in authority.pem -pubout -out authority.pub.pem 2>/dev/null
tpm2_loadexternal -Q -C o -G rsa -u authority.pub.pem -c authority.ctx -n authority.name
flush
with_signed() {
  tpm2_startauthsession --policy-session -S s.ctx &&
    tpm2_policysigned -S s.ctx -c authority.ctx -x --raw-data raw -t 0 && openssl dgst -sha256 -sign authority.pem -out raw.sig raw &&
    tpm2_policysigned -S s.ctx -c authority.ctx -x -g sha256 -s raw.sig -f rsassa -t 0 -L policy && finish
}
check "tpm2_policysigned: an authority agrees" with_signed
unseal_signed() {
  seal && session && tpm2_policysigned -S s.ctx -c authority.ctx -x --raw-data raw -t 0 && openssl dgst -sha256 -sign authority.pem -out raw.sig raw &&
    tpm2_policysigned -S s.ctx -c authority.ctx -x -g sha256 -s raw.sig -f rsassa -t 0 && unseal "" && finish
}
check "tpm2_policysigned: unlocks" unseal_signed

with_authorize() {
  trial tpm2_policypcr -l sha256:16 && cp policy approved &&
    tpm2_startauthsession -S s.ctx && tpm2_policyauthorize -S s.ctx -L policy -i approved -n authority.name && tpm2_flushcontext s.ctx && seal &&
    openssl dgst -sha256 -sign authority.pem -out approved.sig approved &&
    tpm2_verifysignature -c authority.ctx -g sha256 -m approved -s approved.sig -f rsassa -t approved.ticket && { flush || true; } &&
    session && tpm2_policypcr -S s.ctx -l sha256:16 && tpm2_policyauthorize -S s.ctx -i approved -n authority.name -t approved.ticket && unseal "" && finish
}
check "tpm2_policyauthorize: unlocks" with_authorize

with_or() {
  trial tpm2_policycommandcode TPM2_CC_Unseal && cp policy a && trial tpm2_policylocality zero && cp policy b &&
    trial tpm2_policyor -l sha256:a,b && seal && session && tpm2_policylocality -S s.ctx zero && tpm2_policyor -S s.ctx -l sha256:a,b && unseal "" && finish
}
check "tpm2_policyor: unlocks" with_or
check "tpm2_policyor: the digest of its text" test "$(digest)" = "$(printf '%s00000171%s%s' $zeros "$(hex a)" "$(hex b)" | extend)"

check "tpm2_getpolicydigest: of the session" bash -c 'tpm2_startauthsession --policy-session -S s.ctx && tpm2_policypassword -Q -S s.ctx -L one && tpm2_getpolicydigest -S s.ctx -o two && tpm2_flushcontext s.ctx && cmp one two'
check "tpm2_policyrestart: from the beginning" bash -c 'tpm2_startauthsession --policy-session -S s.ctx && tpm2_policypassword -Q -S s.ctx && tpm2_policyrestart -S s.ctx && tpm2_getpolicydigest -S s.ctx -o two && tpm2_flushcontext s.ctx && cmp two <(head -c 32 /dev/zero)'

tpm2_nvdefine -Q -C o -s 4 -a 'ownerread|ownerwrite|authread|authwrite' 0x01500001
printf '\0\0\0\5' | tpm2_nvwrite -Q -C o -i - 0x01500001
policynv() { printf '\0\0\0\4' | tpm2_policynv -C o -i - "$@" 0x01500001 ugt; }
with_nv() { trial policynv && seal && session && policynv -S s.ctx && unseal "" && finish; }
check "tpm2_policynv: unlocks" with_nv
above() { printf '\0\0\0\6' | tpm2_policynv -S s.ctx -C o -i - 0x01500001 ugt; }
below() { session && refuse above; }
check "tpm2_policynv: not when it is not so" below
tpm2_nvundefine -Q -C o 0x01500001

with_written() {
  trial tpm2_policynvwritten s && tpm2_nvdefine -C o -s 4 -L policy -a 'policywrite|ownerread|ownerwrite' 0x01500002 &&
    printf abcd | tpm2_nvwrite -C o -i - 0x01500002 && session && tpm2_policynvwritten -S s.ctx s &&
    printf efgh | tpm2_nvwrite -C 0x01500002 -P session:s.ctx -i - 0x01500002 && finish && tpm2_nvundefine -C o 0x01500002
}
check "tpm2_policynvwritten: unlocks" with_written
with_counter() { trial tpm2_policycountertimer --ult resets=100 && seal && session && tpm2_policycountertimer -S s.ctx --ult resets=100 && unseal "" && finish; }
check "tpm2_policycountertimer: unlocks" with_counter
later() { session && refuse tpm2_policycountertimer -S s.ctx --ugt resets=100; }
check "tpm2_policycountertimer: not when it is not so" later

with_cphash() {
  trial tpm2_policyauthvalue && tpm2_nvdefine -C o -s 4 -a 'ownerread|ownerwrite|policywrite|authwrite' -p word 0x01500003 &&
    printf abcd | tpm2_nvwrite -C 0x01500003 -P word -i - --cphash cp 0x01500003 && tpm2_startauthsession -S s.ctx && tpm2_policycphash -S s.ctx --cphash cp -L policy &&
    tpm2_flushcontext s.ctx && tpm2_nvundefine -C o 0x01500003
}
check "tpm2_policycphash: one command with these parameters" with_cphash
check "tpm2_policycphash: the digest of its text" test "$(digest)" = "$(printf '%s0000016e%s' $zeros "$(hex cp | tail -c +5)" | extend)"
printf '%s' "$zeros" | xxd -r -p >name.hash
with_namehash() { tpm2_startauthsession -S s.ctx && tpm2_policynamehash -S s.ctx -n name.hash -L policy && tpm2_flushcontext s.ctx; }
check "tpm2_policynamehash: these objects" with_namehash
check "tpm2_policynamehash: the digest of its text" test "$(digest)" = "$(printf '%s00000170%s' $zeros $zeros | extend)"
with_template() { tpm2_startauthsession -S s.ctx && tpm2_policytemplate -S s.ctx --template-hash name.hash -L policy && tpm2_flushcontext s.ctx; }
check "tpm2_policytemplate: objects like this" with_template
check "tpm2_policytemplate: the digest of its text" test "$(digest)" = "$(printf '%s00000190%s' $zeros $zeros | extend)"
tpm2_readpublic -Q -c srk.ctx -n srk.name
flush
select_duplicate() { tpm2_startauthsession -S s.ctx && tpm2_policyduplicationselect -S s.ctx -n authority.name -N srk.name -L policy && tpm2_flushcontext s.ctx; }
check "tpm2_policyduplicationselect: to this parent" select_duplicate

with_authorizenv() {
  trial tpm2_policypassword && cp policy inner && tpm2_nvdefine -C o -s 34 -a 'ownerread|ownerwrite|policyread|authread' 0x01500004 &&
    { printf '\0\x0b'; cat inner; } | tpm2_nvwrite -C o -i - 0x01500004 &&
    tpm2_startauthsession -S s.ctx && tpm2_policyauthorizenv -S s.ctx -C o -L policy 0x01500004 && tpm2_flushcontext s.ctx && seal -p word &&
    session && tpm2_policypassword -S s.ctx && tpm2_policyauthorizenv -S s.ctx -C o 0x01500004 && unseal +word && finish
}
check "tpm2_policyauthorizenv: unlocks" with_authorizenv

over_encryption() {
  tpm2_startauthsession --hmac-session -c srk.ctx -S s.ctx && { flush_objects || true; } && tpm2_sessionconfig s.ctx --enable-encrypt --enable-decrypt &&
    tpm2_createprimary -Q -C o -P session:s.ctx -c x.ctx && tpm2_flushcontext s.ctx
}
flush_objects() { over_broker || tpm2_flushcontext -t; }
check "tpm2_sessionconfig: parameters are encrypted" over_encryption
flush
prints "tpm2_sessionconfig: what a session does" 'Session-Handle' bash -c 'tpm2_startauthsession --hmac-session -S s.ctx && tpm2_sessionconfig s.ctx && tpm2_flushcontext s.ctx'
check "tpm2_startauthsession: salted with RSA" bash -c 'tpm2_createprimary -Q -C o -G rsa -c rsa.ctx && if [[ $TPM2TOOLS_TCTI == mssim* ]]; then tpm2_flushcontext -t; fi; tpm2_startauthsession --policy-session -c rsa.ctx -S s.ctx && tpm2_flushcontext s.ctx'
flush
check "tpm2_startauthsession: SHA-384 and AES" tpm2_startauthsession --policy-session -g sha384 -G aes -S s.ctx
tpm2_flushcontext s.ctx
