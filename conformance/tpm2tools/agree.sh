# Keys that two sides agree on, and the ephemeral keys of one exchange.
. "$LIB"

given tpm2_createprimary -C o -G ecc -c srk.ctx
point() { # FILE: TPM2B_ECC_POINT with two coordinates of P-256
  [[ $(hex "$1") =~ ^00440020[0-9a-f]{64}0020[0-9a-f]{64}$ ]] || { hex "$1" && return 1; }
}
given tpm2_create -C srk.ctx -G ecc256:ecdh -u k.pub -r k.priv -c ecdh.ctx
check "tpm2_ecdhkeygen: a point for the key" tpm2_ecdhkeygen -c ecdh.ctx -u ephemeral.q -o shared1.q
check "tpm2_ecdhkeygen: a point of P-256" point ephemeral.q
same() { tpm2_ecdhzgen -c ecdh.ctx -u ephemeral.q -o shared2.q && cmp shared1.q shared2.q; }
check "tpm2_ecdhzgen: the key has the same point" same

# OpenSSL is the other side: its x coordinate is the shared secret.
with_openssl() {
  openssl ecparam -name prime256v1 -genkey -noout -out peer.pem
  peer=$(openssl ec -in peer.pem -pubout -outform DER 2>/dev/null | tail -c 64 | xxd -p -c 64)
  unhex 0044 0020 "${peer:0:64}" 0020 "${peer:64}" >peer.q
  tpm2_ecdhzgen -c ecdh.ctx -u peer.q -o shared.q
  tpm2_readpublic -Q -c ecdh.ctx -f pem -o ecdh.pem
  openssl pkeyutl -derive -inkey peer.pem -peerkey ecdh.pem -out secret
  [[ $(hex shared.q) == 0044*0020$(hex secret)* ]]
}
check "tpm2_ecdhzgen: as OpenSSL does" with_openssl
not_on_curve() { unhex 0044 0020 ${zeros%0}1 0020 ${zeros%0}1 >bad.q && tpm2_ecdhzgen -c ecdh.ctx -u bad.q -o shared.q; }
refused "tpm2_ecdhzgen: a point that is not on the curve" 'point' not_on_curve

check "tpm2_ecephemeral: a key for one exchange" tpm2_ecephemeral -u Q.bin -t counter ecc256
check "tpm2_ecephemeral: a point of P-256" point Q.bin
counts() { tpm2_ecephemeral -u Q.bin -t next ecc256 && [ $((16#$(hex next))) = $((16#$(hex counter) + 1)) ]; }
check "tpm2_ecephemeral: the counter counts" counts

given tpm2_ecdhkeygen -c ecdh.ctx -u inQsB.bin -o ignored
given tpm2_ecdhkeygen -c ecdh.ctx -u inQeB.bin -o ignored
zgen() {
  tpm2_zgen2phase -c ecdh.ctx -t $((16#$(hex "$1"))) --static-public inQsB.bin --ephemeral-public inQeB.bin --output-Z1 Z1 --output-Z2 Z2
  point Z1 && point Z2
}
check "tpm2_zgen2phase: both points" zgen counter
static() { tpm2_ecdhzgen -c ecdh.ctx -u inQsB.bin -o Z && cmp Z Z1; }
check "tpm2_zgen2phase: the first is that of the static keys" static
refused "tpm2_zgen2phase: an ephemeral key is for once" 'value|parameter' zgen counter

given tpm2_create -C srk.ctx -G ecc256:ecdaa4-sha256 -u k.pub -r k.priv -c daa.ctx -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign|noda'
check "tpm2_commit: of nothing" tpm2_commit -c daa.ctx --eccpoint-K K.bin --eccpoint-L L.bin -u E.bin -t counter
check "tpm2_commit: a point of P-256" point E.bin
commits() { # with a point of the curve: K, L and E
  tpm2_commit -c daa.ctx --eccpoint-P inQsB.bin --eccpoint-K K.bin --eccpoint-L L.bin -u E.bin -t next
  [ $((16#$(hex next))) = $((16#$(hex counter) + 1)) ]
}
check "tpm2_commit: of a point, and the counter counts" commits
signs() { printf message >message && tpm2_sign -c daa.ctx -g sha256 -s ecdaa --commit-index $((16#$(hex counter))) -o sig message; }
check "tpm2_sign: ECDAA" signs
refused "tpm2_sign: a commitment is for once" 'value|parameter' signs
