# Objects under a parent: made, loaded, read, changed, brought in.
. "$LIB"

given tpm2_createprimary -C o -G ecc -c srk.ctx
for alg in rsa2048 rsa2048:rsassa-sha256:null rsa3072 ecc256 ecc384:ecdsa-sha384 ecc521 aes128 aes256cfb hmac hmac:sha384; do
  prints "tpm2_create: $alg" 'name-alg' tpm2_create -C srk.ctx -G "$alg" -u x.pub -r x.priv
done
refused "tpm2_create: attributes that contradict" 'attributes' \
  tpm2_create -C srk.ctx -G ecc -a 'fixedtpm|sensitivedataorigin|userwithauth|sign' -u x.pub -r x.priv
check "tpm2_create: and loaded at once" tpm2_create -C srk.ctx -G ecc -c loaded.ctx

check "tpm2_create: a key with a password" tpm2_create -C srk.ctx -G ecc -u key.pub -r key.priv -p old
check "tpm2_load: a key" tpm2_load -C srk.ctx -u key.pub -r key.priv -c key.ctx -n key.name
name() { holds key.name "000b$(tail -c +3 key.pub | sha256sum | cut -d' ' -f1)"; }
check "tpm2_load: its Name is the hash of its public area" name
tampered() { { head -c -1 key.priv && printf x; } >bad.priv && tpm2_load -C srk.ctx -u key.pub -r bad.priv -c x.ctx; }
refused "tpm2_load: not one that was changed" 'integrity' tampered
for f in tss tpmt pem der; do check "tpm2_readpublic: as $f" tpm2_readpublic -c key.ctx -f $f -o key.$f; done
check "tpm2_readpublic: OpenSSL reads the PEM" openssl pkey -pubin -in key.pem -noout
public_area() { tpm2_readpublic -Q -c key.ctx -n read.name -o read.pub -q qualified && cmp read.pub key.pub && cmp read.name key.name && [ -s qualified ]; }
check "tpm2_readpublic: the public area and the Names" public_area

check "tpm2_changeauth: of an object" tpm2_changeauth -C srk.ctx -c key.ctx -p old -r key2.priv new
check "tpm2_load: with its new password" tpm2_load -C srk.ctx -u key.pub -r key2.priv -c key2.ctx
printf x >message
check "tpm2_changeauth: the new password works" tpm2_sign -c key2.ctx -p new -o sig message
refused "tpm2_changeauth: the old one does not" 'authorization' tpm2_sign -c key2.ctx -p old -o sig message
prints "tpm2_print: a public area" 'value: ecc' tpm2_print -t TPM2B_PUBLIC key.pub
prints "tpm2_print: one without a size" 'value: ecc' tpm2_print -t TPMT_PUBLIC key.tpmt
check "tpm2_encodeobject: for OpenSSL" tpm2_encodeobject -C srk.ctx -u key.pub -r key2.priv -p -o key.tss.pem
prints "tpm2_encodeobject: it is a TSS2 key" 'BEGIN TSS2 PRIVATE KEY' cat key.tss.pem
prints "tpm2_encodeobject: with the public area in it" "$(tail -c 64 key.pub | xxd -p -c 64 | tr a-f A-F)" \
  bash -c 'openssl asn1parse -in key.tss.pem'

openssl genrsa -out rsa.pem 2048 2>/dev/null
openssl rsa -in rsa.pem -pubout -out rsa.pub.pem 2>/dev/null
openssl ecparam -name prime256v1 -genkey -noout -out ec.pem
openssl ec -in ec.pem -pubout -out ec.pub.pem 2>/dev/null
head -c 16 /dev/urandom >aes.key
check "tpm2_loadexternal: a public RSA key" tpm2_loadexternal -C n -G rsa -u rsa.pub.pem -c external.ctx
check "tpm2_loadexternal: a public ECC key" tpm2_loadexternal -C o -G ecc -u ec.pub.pem -c external.ctx
check "tpm2_loadexternal: an ECC key pair" tpm2_loadexternal -C n -G ecc -r ec.pem -c external.ctx
check "tpm2_loadexternal: an AES key" tpm2_loadexternal -C n -G aes -r aes.key -c external.ctx
refused "tpm2_loadexternal: no key pair into a hierarchy" 'hierarchy' tpm2_loadexternal -C o -G rsa -r rsa.pem -c external.ctx
check "tpm2_loadexternal: an RSA key pair" tpm2_loadexternal -C n -G rsa -r rsa.pem -c external.ctx
pair() { tpm2_readpublic -Q -c external.ctx -f pem -o external.pem && cmp external.pem rsa.pub.pem; }
check "tpm2_loadexternal: the key that it was" pair

for kind in rsa ec; do
  alg=${kind/ec/ecc} alg=${alg/eccc/ecc}
  check "tpm2_import: an $alg key" tpm2_import -C srk.ctx -G $alg -i $kind.pem -u imported.pub -r imported.priv
  check "tpm2_import: it loads, $alg" tpm2_load -C srk.ctx -u imported.pub -r imported.priv -c imported.ctx
  pair() { tpm2_readpublic -Q -c imported.ctx -f pem -o imported.pem && cmp imported.pem $kind.pub.pem; }
  check "tpm2_import: the key that it was, $alg" pair
done
check "tpm2_import: an AES key" tpm2_import -C srk.ctx -G aes -i aes.key -u imported.pub -r imported.priv
check "tpm2_import: it loads, aes" tpm2_load -C srk.ctx -u imported.pub -r imported.priv -c imported.ctx
