# Statements that the TPM signs, and audits of what it did.
. "$LIB"

tpm2_createprimary -Q -C e -G ecc256:ecdsa-sha256:null -c ak.ctx \
  -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign'
flush
tpm2_readpublic -Q -c ak.ctx -f pem -o ak.pem
flush
verified() { openssl dgst -sha256 -verify ak.pem -signature "$2" "$1"; }

tpm2_createprimary -Q -C o -G ecc -c srk.ctx
flush
tpm2_create -Q -C srk.ctx -G rsa -u key.pub -r key.priv --creation-data=creation.data -d creation.digest -t creation.ticket
flush
tpm2_load -Q -C srk.ctx -u key.pub -r key.priv -c key.ctx
flush
check "tpm2_certify: a key" tpm2_certify -c key.ctx -C ak.ctx -g sha256 -f plain -o certify.msg -s certify.sig
flush
check "tpm2_certify: OpenSSL verifies it" verified certify.msg certify.sig
check "tpm2_certifycreation: where a key came from" tpm2_certifycreation -C ak.ctx -c key.ctx -d creation.digest -t creation.ticket \
  -g sha256 -o creation.sig --attestation creation.msg -f plain -s ecdsa
flush
check "tpm2_certifycreation: OpenSSL verifies it" verified creation.msg creation.sig
printf x >wrong
sha256sum wrong | cut -d' ' -f1 | xxd -r -p >wrong.digest
refused "tpm2_certifycreation: of another origin" . tpm2_certifycreation -C ak.ctx -c key.ctx -d wrong.digest -t creation.ticket \
  -g sha256 -o x.sig --attestation x.msg -f plain -s ecdsa
flush

check "tpm2_gettime: signed" tpm2_gettime -c ak.ctx -q cafe -g sha256 -f plain -o time.sig --attestation time.msg
flush
check "tpm2_gettime: OpenSSL verifies it" verified time.msg time.sig
prints "tpm2_gettime: it is a statement of time" '^ff5443478019' xxd -p time.msg

check "tpm2_setcommandauditstatus: audit GetRandom" tpm2_setcommandauditstatus TPM2_CC_GetRandom
prints "tpm2_getcap: it is audited" 'GetRandom|0x17B|17b' bash -c 'tpm2_send <<<"" 2>/dev/null; printf "\x80\x01\0\0\0\x16\0\0\x01\x7a\0\0\0\4\0\0\0\0\0\0\0\x40" >q && tpm2_send <q | xxd -p'
tpm2_getrandom 4 >/dev/null
check "tpm2_getcommandauditdigest: signed" tpm2_getcommandauditdigest -c ak.ctx -g sha256 -f plain -s audit.sig -m audit.msg
flush
check "tpm2_getcommandauditdigest: OpenSSL verifies it" verified audit.msg audit.sig
check "tpm2_setcommandauditstatus: no more" tpm2_setcommandauditstatus -c TPM2_CC_GetRandom

session_audit() {
  tpm2_startauthsession --audit-session -S audit.ctx && tpm2_getrandom -S audit.ctx --cphash cp --rphash rp --hex 4 &&
    tpm2_getsessionauditdigest -c ak.ctx -g sha256 -f plain -s session.sig -m session.msg -S audit.ctx && tpm2_flushcontext audit.ctx
}
check "tpm2_getsessionauditdigest: signed" session_audit
flush
check "tpm2_getsessionauditdigest: OpenSSL verifies it" verified session.msg session.sig

tpm2_nvdefine -Q -C o -s 8 -a 'ownerread|ownerwrite|authread|authwrite' 0x01500001
printf 12345678 | tpm2_nvwrite -Q -C o -i - 0x01500001
check "tpm2_nvcertify: what an index holds" tpm2_nvcertify -C ak.ctx -c o -g sha256 -f plain -o nv.sig --attestation nv.msg --size 8 --offset 0 0x01500001
flush
check "tpm2_nvcertify: OpenSSL verifies it" verified nv.msg nv.sig

check "tpm2_certifyX509certutil: a template of a certificate" tpm2_certifyX509certutil -o partial.bin -d 365 -i 'C=US;O=org;OU=unit;CN=name' -s 'C=US;O=org;OU=unit;CN=name'
certify_x509() { [ -s partial.bin ]; }
check "tpm2_certifyX509certutil: it is there" certify_x509
