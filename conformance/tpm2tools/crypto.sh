# Signing, encrypting, hashing, agreeing on keys.
. "$LIB"

printf 'a message' >message
sha256sum message | cut -d' ' -f1 | xxd -r -p >digest
tpm2_createprimary -C o -G ecc -c srk.ctx -Q
flush

signs() { # ALGORITHM SCHEME: sign, verify with the TPM
  tpm2_create -Q -C srk.ctx -G "$1" -u k.pub -r k.priv -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign' -c k.ctx &&
    { flush || true; } && tpm2_sign -c k.ctx -g sha256 -s "$2" -o sig message && { flush || true; } &&
    tpm2_verifysignature -c k.ctx -g sha256 -m message -s sig -t ticket
}
check "tpm2_sign: RSASSA" signs rsa2048 rsassa
check "tpm2_sign: RSAPSS" signs rsa2048 rsapss
check "tpm2_sign: ECDSA" signs ecc256 ecdsa
check "tpm2_sign: ECDSA, P-384" signs ecc384 ecdsa
check "tpm2_sign: ECSchnorr" signs ecc256 ecschnorr
check "tpm2_sign: HMAC" bash -c 'tpm2_createprimary -Q -G hmac -c hmac.ctx -a "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign" && tpm2_sign -c hmac.ctx -g sha256 -s hmac -o sig message'
flush

tpm2_create -Q -C srk.ctx -G rsa2048 -u rsa.pub -r rsa.priv -c rsa.ctx
flush
tpm2_readpublic -Q -c rsa.ctx -f pem -o rsa.pem
flush
check "tpm2_sign: OpenSSL verifies RSASSA" bash -c 'tpm2_sign -c rsa.ctx -g sha256 -s rsassa -f plain -o sig message && openssl dgst -sha256 -verify rsa.pem -signature sig message'
flush
openssl genrsa -out foreign.pem 2048 2>/dev/null
openssl rsa -in foreign.pem -pubout -out foreign.pub.pem 2>/dev/null
openssl dgst -sha256 -sign foreign.pem -out foreign.sig message
verify() { tpm2_loadexternal -Q -C o -G rsa -u foreign.pub.pem -c foreign.ctx && tpm2_verifysignature -c foreign.ctx -g sha256 -m message -s foreign.sig -f rsassa -t ticket; }
check "tpm2_verifysignature: of OpenSSL" verify
flush
printf 'another' >other
refused "tpm2_verifysignature: of another message" 'signature is not valid|0x2db' tpm2_verifysignature -c foreign.ctx -g sha256 -m other -s foreign.sig -f rsassa
flush

for scheme in rsaes oaep null; do
  head -c 32 /dev/urandom >plain
  [ $scheme = null ] && { head -c 255 /dev/urandom >plain.tail; { printf '\0'; cat plain.tail; } >plain; }
  check "tpm2_rsaencrypt: $scheme" tpm2_rsaencrypt -c rsa.ctx -s $scheme -o cipher plain
  flush
  check "tpm2_rsadecrypt: $scheme" bash -c "tpm2_rsadecrypt -c rsa.ctx -s $scheme -o decrypted cipher && cmp plain decrypted"
  flush
done
head -c 32 /dev/urandom >plain
openssl pkeyutl -encrypt -pubin -inkey rsa.pem -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -in plain -out cipher
check "tpm2_rsadecrypt: OAEP of OpenSSL" bash -c 'tpm2_rsadecrypt -c rsa.ctx -s oaep -o decrypted cipher && cmp plain decrypted'
flush

head -c 16 /dev/urandom >iv
head -c 2048 /dev/urandom >plain
for mode in cfb cbc ctr ofb ecb; do
  symmetric() {
    tpm2_create -Q -C srk.ctx -G aes256$mode -u k.pub -r k.priv -c k.ctx && { flush || true; } &&
      tpm2_encryptdecrypt -c k.ctx -t iv -o cipher plain && { flush || true; } &&
      tpm2_encryptdecrypt -d -c k.ctx -t iv -o decrypted cipher && cmp plain decrypted
  }
  check "tpm2_encryptdecrypt: $mode" symmetric
  flush
done
head -c 16 /dev/urandom >aes.key
openssl enc -aes-128-cfb -K "$(hex aes.key)" -iv "$(hex iv)" -in plain -out expected
known() { tpm2_loadexternal -Q -C n -G aes -r aes.key -c k.ctx && tpm2_encryptdecrypt -G cfb -c k.ctx -t iv -o cipher plain && cmp cipher expected; }
check "tpm2_encryptdecrypt: as OpenSSL does" known
flush

prints "tpm2_hash: SHA-256" "$(hex digest)" tpm2_hash -C o -g sha256 --hex message
for g in sha1 sha384 sha512; do prints "tpm2_hash: $g" "$(${g}sum message | cut -d' ' -f1)" tpm2_hash -C n -g $g --hex message; done
head -c 5000 /dev/urandom >long
prints "tpm2_hash: longer than a command" "$(sha256sum long | cut -d' ' -f1)" tpm2_hash -C o -g sha256 --hex -t ticket long
printf 'key' >hmac.key
tpm2_import -Q -C srk.ctx -G hmac -i hmac.key -u k.pub -r k.priv && flush && tpm2_load -Q -C srk.ctx -u k.pub -r k.priv -c hmac.ctx
flush
prints "tpm2_hmac: as OpenSSL does" "$(openssl dgst -sha256 -hmac key -r message | cut -d' ' -f1)" tpm2_hmac -c hmac.ctx --hex message
flush
prints "tpm2_hmac: longer than a command" "$(openssl dgst -sha256 -hmac key -r long | cut -d' ' -f1)" tpm2_hmac -c hmac.ctx --hex long
flush

tpm2_create -Q -C srk.ctx -G ecc256:ecdh -u k.pub -r k.priv -c ecdh.ctx
flush
check "tpm2_ecdhkeygen: a point for the key" tpm2_ecdhkeygen -c ecdh.ctx -u ephemeral.q -o shared1.q
flush
check "tpm2_ecdhzgen: the key has the same point" bash -c 'tpm2_ecdhzgen -c ecdh.ctx -u ephemeral.q -o shared2.q && cmp shared1.q shared2.q'
flush

tpm2_create -Q -C srk.ctx -G ecc256:ecdaa4-sha256 -u k.pub -r k.priv -c daa.ctx -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign|noda'
flush
check "tpm2_commit: ECDAA" tpm2_commit -c daa.ctx --eccpoint-K K.bin --eccpoint-L L.bin -u E.bin -t counter
flush
check "tpm2_ecephemeral: a key for one exchange" tpm2_ecephemeral -u Q.bin -t counter ecc256
flush
zgen() {
  tpm2_create -Q -C srk.ctx -G ecc256:ecdh -u k.pub -r k.priv -c static.ctx && { flush || true; } &&
    tpm2_ecdhkeygen -c static.ctx -u inQsB.bin -o ignored.bin && { flush || true; } &&
    tpm2_ecdhkeygen -c static.ctx -u inQeB.bin -o ignored.bin && { flush || true; } &&
    tpm2_ecephemeral -u Q.bin -t counter ecc256 && { flush || true; } &&
    tpm2_zgen2phase -c static.ctx --counter "$(od -An -tu2 --endian=big counter | tr -d ' ')" \
      --static-public inQsB.bin --ephemeral-public inQeB.bin --output-Z1 Z1 --output-Z2 Z2 && [ -s Z1 ] && [ -s Z2 ]
}
check "tpm2_zgen2phase: ECDH, both points" zgen
