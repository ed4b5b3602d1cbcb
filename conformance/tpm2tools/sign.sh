# Signatures, made by the TPM and verified by OpenSSL, and the other way around.
. "$LIB"

printf 'a message' >message
printf another >other
sha256sum message | cut -d' ' -f1 | xxd -r -p >digest
given tpm2_createprimary -C o -G ecc -c srk.ctx
key='fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign'

signs() { # ALGORITHM HASH SCHEME: the TPM signs, and verifies
  tpm2_create -Q -C srk.ctx -G "$1" -u k.pub -r k.priv -a "$key" -c k.ctx
  tpm2_sign -c k.ctx -g "$2" -s "$3" -o sig message
  tpm2_verifysignature -c k.ctx -g "$2" -m message -s sig -t ticket
  [ -s ticket ]
}
for c in "rsa2048 sha256 rsassa" "rsa2048 sha512 rsassa" "rsa2048 sha256 rsapss" "rsa3072 sha384 rsassa" \
  "ecc256 sha1 ecdsa" "ecc256 sha256 ecdsa" "ecc384 sha384 ecdsa" "ecc521 sha512 ecdsa" "ecc256 sha256 ecschnorr"; do
  check "tpm2_sign: $c" signs $c
done
verified_by_openssl() { # ALGORITHM SCHEME OPTIONS...
  tpm2_create -Q -C srk.ctx -G "$1" -u k.pub -r k.priv -a "$key" -c k.ctx
  tpm2_readpublic -Q -c k.ctx -f pem -o k.pem
  tpm2_sign -c k.ctx -g sha256 -s "$2" -f plain -o sig message
  openssl dgst -sha256 -verify k.pem "${@:3}" -signature sig message
}
check "tpm2_sign: OpenSSL verifies RSASSA" verified_by_openssl rsa2048 rsassa
check "tpm2_sign: OpenSSL verifies RSAPSS" verified_by_openssl rsa2048 rsapss -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:auto
check "tpm2_sign: OpenSSL verifies ECDSA" verified_by_openssl ecc256 ecdsa
signs_digest() { tpm2_sign -c k.ctx -g sha256 -d -f plain -o sig digest && openssl dgst -sha256 -verify k.pem -signature sig message; }
check "tpm2_sign: a digest" signs_digest
given tpm2_sign -c k.ctx -g sha256 -o sig message
check "tpm2_verifysignature: of a digest" tpm2_verifysignature -c k.ctx -d digest -s sig
refused "tpm2_verifysignature: of another message" 'signature is not valid' tpm2_verifysignature -c k.ctx -g sha256 -m other -s sig
restricted() {
  tpm2_createprimary -Q -C o -G ecc256:ecdsa-sha256:null -a "$key|restricted" -c ak.ctx
  tpm2_hash -Q -C o -g sha256 -t hash.ticket -o hash message
  tpm2_sign -c ak.ctx -g sha256 -t hash.ticket -d -o sig hash
}
check "tpm2_sign: a restricted key, what the TPM has hashed" restricted
refused "tpm2_sign: a restricted key, nothing else" 'ticket' tpm2_sign -c ak.ctx -g sha256 -d -o sig digest
given tpm2_create -C srk.ctx -G aes -u x.pub -r x.priv -c aes.ctx
refused "tpm2_sign: not with a key that does not sign" . tpm2_sign -c aes.ctx -g sha256 -o sig message

keyed() {
  tpm2_create -Q -C srk.ctx -G hmac -u h.pub -r h.priv -a "$key" -c hmac.ctx
  tpm2_sign -c hmac.ctx -g sha256 -s hmac -o sig message
  tpm2_verifysignature -c hmac.ctx -g sha256 -m message -s sig
}
check "tpm2_sign: HMAC" keyed

for alg in rsa ecc; do
  if [ $alg = rsa ]; then openssl genrsa -out foreign.pem 2048; else openssl ecparam -name prime256v1 -genkey -noout -out foreign.pem; fi 2>/dev/null
  openssl pkey -in foreign.pem -pubout -out foreign.pub.pem
  openssl dgst -sha256 -sign foreign.pem -out foreign.sig message
  scheme=rsassa && [ $alg = ecc ] && scheme=ecdsa
  verify() { tpm2_verifysignature -c foreign.ctx -g sha256 -m "$1" -s foreign.sig -f $scheme -t ticket; }
  given tpm2_loadexternal -C o -G $alg -u foreign.pub.pem -c foreign.ctx
  check "tpm2_verifysignature: of OpenSSL, $scheme" verify message
  refused "tpm2_verifysignature: of another message, $scheme" 'signature is not valid' verify other
done
