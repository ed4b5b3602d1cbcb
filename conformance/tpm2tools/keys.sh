# Objects: made, loaded, sealed, moved, kept.
. "$LIB"

check "tpm2_createprimary: ECC storage key" tpm2_createprimary -C o -G ecc -c srk.ctx
prints "tpm2_createprimary: the same key each time" . bash -c 'tpm2_createprimary -C o -G ecc -c again.ctx -Q && tpm2_readpublic -c again.ctx -n again.name -Q && tpm2_readpublic -c srk.ctx -n srk.name -Q && cmp again.name srk.name && echo same'
flush
for hierarchy in o e p n; do check "tpm2_createprimary: hierarchy $hierarchy" tpm2_createprimary -C $hierarchy -c any.ctx; flush; done
for g in rsa2048 rsa3072 ecc256 ecc384 ecc521; do check "tpm2_createprimary: $g" tpm2_createprimary -G $g -c any.ctx; flush; done

printf 'a secret' >secret
check "tpm2_create: sealed data" tpm2_create -C srk.ctx -i secret -u sealed.pub -r sealed.priv
flush
check "tpm2_load: sealed data" tpm2_load -C srk.ctx -u sealed.pub -r sealed.priv -c sealed.ctx
prints "tpm2_unseal: what was sealed" '^a secret$' tpm2_unseal -c sealed.ctx
flush
check "tpm2_create: sealed with a password" tpm2_create -C srk.ctx -i secret -u locked.pub -r locked.priv -p open -c locked.ctx
prints "tpm2_unseal: with the password" '^a secret$' tpm2_unseal -c locked.ctx -p open
refused "tpm2_unseal: with another" 'authorization|auth' tpm2_unseal -c locked.ctx -p shut
flush
head -c 129 /dev/zero >too-much
refused "tpm2_create: more than can be sealed" '.' tpm2_create -C srk.ctx -i too-much -u x.pub -r x.priv

for g in rsa2048 rsa2048:rsassa-sha256:null ecc256 ecc384:ecdsa-sha384 aes128 aes256cfb hmac hmac:sha384; do
  check "tpm2_create: $g" tpm2_create -C srk.ctx -G "$g" -u x.pub -r x.priv
  flush
done

check "tpm2_create: a key with a password" tpm2_create -C srk.ctx -G ecc -u key.pub -r key.priv -p old
check "tpm2_load: a key" tpm2_load -C srk.ctx -u key.pub -r key.priv -c key.ctx -n key.name
check "tpm2_readpublic: as PEM" tpm2_readpublic -c key.ctx -f pem -o key.pem
check "tpm2_readpublic: OpenSSL reads it" openssl ec -pubin -in key.pem -noout
flush
check "tpm2_changeauth: of an object" tpm2_changeauth -C srk.ctx -c key.ctx -p old -r key2.priv new
flush
check "tpm2_load: with its new authorization" tpm2_load -C srk.ctx -u key.pub -r key2.priv -c key2.ctx
flush
printf x >message
check "tpm2_changeauth: the new password works" tpm2_sign -c key2.ctx -p new -o sig message
refused "tpm2_changeauth: the old one does not" . tpm2_sign -c key2.ctx -p old -o sig message
flush
prints "tpm2_print: a public area" 'value: ecc' tpm2_print -t TPM2B_PUBLIC key.pub
check "tpm2_encodeobject: for OpenSSL" tpm2_encodeobject -C srk.ctx -u key.pub -r key.priv -o key.tss.pem
prints "tpm2_encodeobject: it is a TSS2 key" 'BEGIN TSS2 PRIVATE KEY' cat key.tss.pem
flush

check "tpm2_evictcontrol: keep" tpm2_evictcontrol -C o -c srk.ctx 0x81000001
flush
prints "tpm2_evictcontrol: it is there" '0x81000001' tpm2_getcap handles-persistent
check "tpm2_load: under a persistent parent" tpm2_load -C 0x81000001 -u sealed.pub -r sealed.priv -c sealed.ctx
flush
check "tpm2_evictcontrol: forget" tpm2_evictcontrol -C o -c 0x81000001
refused "tpm2_readpublic: it is gone" . tpm2_readpublic -c 0x81000001

openssl genrsa -out rsa.pem 2048 2>/dev/null
openssl rsa -in rsa.pem -pubout -out rsa.pub.pem 2>/dev/null
openssl ecparam -name prime256v1 -genkey -noout -out ec.pem
check "tpm2_loadexternal: a public key" tpm2_loadexternal -C n -G rsa -u rsa.pub.pem -c external.ctx
flush
check "tpm2_loadexternal: a key pair" tpm2_loadexternal -C n -G rsa -r rsa.pem -c external.ctx
flush
check "tpm2_import: an RSA key" tpm2_import -C srk.ctx -G rsa -i rsa.pem -u imported.pub -r imported.priv
flush
check "tpm2_import: it loads" tpm2_load -C srk.ctx -u imported.pub -r imported.priv -c imported.ctx
flush
check "tpm2_import: an ECC key" tpm2_import -C srk.ctx -G ecc -i ec.pem -u imported.pub -r imported.priv
flush
head -c 16 /dev/urandom >aes.key
check "tpm2_import: an AES key" tpm2_import -C srk.ctx -G aes -i aes.key -u imported.pub -r imported.priv
flush

check "tpm2_createprimary: a new parent" tpm2_createprimary -C n -G rsa -c new.ctx
check "tpm2_policycommandcode: a policy for duplication" bash -c 'tpm2_startauthsession -S s.ctx && tpm2_policycommandcode -S s.ctx -L dup.policy TPM2_CC_Duplicate && tpm2_flushcontext s.ctx'
flush
check "tpm2_create: a key that may be duplicated" tpm2_create -C srk.ctx -G ecc -u dup.pub -r dup.priv -L dup.policy -a 'sensitivedataorigin|userwithauth|sign|decrypt' -c dup.ctx
tpm2_readpublic -c new.ctx -o new.pub -Q
flush
duplicate() {
  tpm2_startauthsession --policy-session -S s.ctx && tpm2_policycommandcode -S s.ctx TPM2_CC_Duplicate &&
    tpm2_duplicate -C new.ctx -c dup.ctx -G null -p session:s.ctx -r dup.duplicate -s dup.seed &&
    tpm2_flushcontext s.ctx
}
check "tpm2_duplicate: to the new parent" duplicate
flush
check "tpm2_import: the duplicate" tpm2_import -C new.ctx -u dup.pub -i dup.duplicate -r dup.new.priv -s dup.seed
flush
check "tpm2_load: the duplicate" tpm2_load -C new.ctx -u dup.pub -r dup.new.priv -c dup.new.ctx
flush

check "tpm2_createek: RSA" tpm2_createek -c ek.ctx -G rsa -u ek.pub
flush
tpm2_readpublic -Q -c ek.ctx -f pem -o ek.pem
flush
check "tpm2_createek: ECC, persistent" tpm2_createek -c 0x81010002 -G ecc -u ek.ecc.pub
check "tpm2_createak: under the EK" tpm2_createak -C ek.ctx -c ak.ctx -G ecc -g sha256 -s ecdsa -u ak.pub -n ak.name
flush
printf 'the credential' >credential
check "tpm2_makecredential: for the AK" tpm2_makecredential -u ek.pub -s credential -n "$(hex ak.name)" -o blob
activate() {
  tpm2_startauthsession --policy-session -S s.ctx && tpm2_policysecret -S s.ctx -c e &&
    tpm2_activatecredential -c ak.ctx -C ek.ctx -i blob -o got -P session:s.ctx && tpm2_flushcontext s.ctx && cmp got credential
}
check "tpm2_activatecredential: the TPM proves it has both" activate
flush
check "tpm2_makecredential: without a TPM" tpm2_makecredential -T none -u ek.pem -s credential -n "$(hex ak.name)" -o blob -G rsa
check "tpm2_activatecredential: what was made without a TPM" activate
flush
refused "tpm2_getekcertificate: this TPM came without one" . tpm2_getekcertificate
check "tpm2_flushcontext: a saved context" bash -c 'tpm2_createprimary -Q -c x.ctx && if [[ $TPM2TOOLS_TCTI == mssim* ]]; then tpm2_flushcontext -t; fi'
