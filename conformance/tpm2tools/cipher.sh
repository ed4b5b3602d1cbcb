# Encryption, by the TPM and by OpenSSL.
. "$LIB"

given tpm2_createprimary -C o -G ecc -c srk.ctx
given tpm2_create -C srk.ctx -G rsa2048 -u rsa.pub -r rsa.priv -c rsa.ctx
given tpm2_readpublic -c rsa.ctx -f pem -o rsa.pem
for scheme in rsaes oaep null; do
  head -c 32 /dev/urandom >plain
  # Without padding, a message is as long as the modulus, and smaller.
  [ $scheme = null ] && { printf '\0' && head -c 255 /dev/urandom; } >plain
  round() { tpm2_rsadecrypt -c rsa.ctx -s $scheme -o decrypted cipher && cmp plain decrypted; }
  check "tpm2_rsaencrypt: $scheme" tpm2_rsaencrypt -c rsa.ctx -s $scheme -o cipher plain
  check "tpm2_rsadecrypt: $scheme" round
done
head -c 32 /dev/urandom >plain
openssl_encrypts() { # OPTIONS...
  openssl pkeyutl -encrypt -pubin -inkey rsa.pem -in plain -out cipher "$@"
  tpm2_rsadecrypt -c rsa.ctx -s "$scheme" -o decrypted cipher
  cmp plain decrypted
}
scheme=oaep
check "tpm2_rsadecrypt: OAEP of OpenSSL" openssl_encrypts -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256
scheme=rsaes
check "tpm2_rsadecrypt: RSAES of OpenSSL" openssl_encrypts -pkeyopt rsa_padding_mode:pkcs1
labeled() { tpm2_rsaencrypt -c rsa.ctx -s oaep -l label -o cipher plain && tpm2_rsadecrypt -c rsa.ctx -s oaep -l "$1" -o decrypted cipher && cmp plain decrypted; }
check "tpm2_rsadecrypt: with the label" labeled label
head -c 246 /dev/zero >long
if [ "$TPM" = swtpm ]; then
  for c in "tpm2_rsadecrypt: with another label" "tpm2_rsaencrypt: more than fits"; do
    skip "$c" "libtpms 0.9.2 enters failure mode"
  done
else
  refused "tpm2_rsadecrypt: with another label" 'value' labeled another
  refused "tpm2_rsaencrypt: more than fits" 'value' tpm2_rsaencrypt -c rsa.ctx -s rsaes -o cipher long
fi

head -c 16 /dev/urandom >iv
head -c 2048 /dev/urandom >plain
round() { # ALGORITHM
  tpm2_create -Q -C srk.ctx -G "$1" -u k.pub -r k.priv -c k.ctx
  tpm2_encryptdecrypt -c k.ctx -t iv -o cipher plain
  tpm2_encryptdecrypt -d -c k.ctx -t iv -o decrypted cipher
  ! cmp -s plain cipher
  cmp plain decrypted
}
for alg in aes128cfb aes256cfb aes256cbc aes256ctr aes256ofb; do check "tpm2_encryptdecrypt: $alg" round $alg; done
# The tool sends an IV in any case, and ECB has none.
ecb() { tpm2_create -Q -C srk.ctx -G aes256ecb -u k.pub -r k.priv -c k.ctx && tpm2_encryptdecrypt -c k.ctx -t iv -o cipher plain; }
refused "tpm2_encryptdecrypt: ECB has no IV" 'parameter\(4\)' ecb
head -c 16 /dev/urandom >aes.key
# A key without a mode takes the caller's.
given tpm2_loadexternal -C n -G aes -r aes.key -c k.ctx
for mode in cfb cbc ctr ofb; do
  as_openssl() {
    openssl enc -aes-128-$mode -nopad -K "$(hex aes.key)" -iv "$(hex iv)" -in plain -out expected
    tpm2_encryptdecrypt -G $mode -c k.ctx -t iv -o cipher plain
    cmp cipher expected
  }
  check "tpm2_encryptdecrypt: as OpenSSL does, $mode" as_openssl
done
padded() {
  printf 'not a block' >short
  tpm2_encryptdecrypt -e -G cbc -c k.ctx -t iv -o cipher short
  openssl enc -d -aes-128-cbc -K "$(hex aes.key)" -iv "$(hex iv)" -in cipher -out decrypted
  cmp short decrypted
}
check "tpm2_encryptdecrypt: padded for OpenSSL" padded
