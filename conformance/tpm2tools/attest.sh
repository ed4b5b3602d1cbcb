# What the TPM says about itself, signed: PCRs, keys, indices, the time.
. "$LIB"

# A restricted signing key on P-256, and OpenSSL to verify what it signs.
ak='fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign'
given tpm2_createprimary -C e -G ecc256:ecdsa-sha256:null -a "$ak" -c ak.ctx
given tpm2_readpublic -c ak.ctx -f pem -o ak.pem -n ak.name
given tpm2_createprimary -C o -G rsa -c srk.ctx --creation-data data --creation-hash hash -t ticket
given tpm2_readpublic -c srk.ctx -n srk.name -q srk.qualified
authentic() { openssl dgst -sha256 -verify ak.pem -signature sig attest; }
nonce=00112233445566778899aabbccddeeff
holds_attested() { # TYPE HEX...: attest is authentic, of this type, with the nonce and these bytes
  authentic && [[ $(hex attest) == ff544347$1*$nonce*$2* ]]
}

quote() { # KEY SCHEME HASH
  tpm2_createprimary -Q -C e -G "$1:$2-$3:null" -a "$ak" -c q.ctx
  tpm2_readpublic -Q -c q.ctx -f tss -o q.pub
  tpm2_quote -Q -c q.ctx --scheme "$2" -g "$3" -l sha256:0,1,16+sha1:2 -q $nonce -m q.msg -s q.sig -o q.pcrs
}
for c in "rsa2048 rsassa sha256" "ecc384 ecdsa sha384"; do
  check "tpm2_quote: $c" quote $c
  check "tpm2_checkquote: $c" tpm2_checkquote -u q.pub -m q.msg -s q.sig -f q.pcrs -g "${c##* }" -q $nonce
done
# tpm2_checkquote does not know PSS.
pss() {
  quote rsa2048 rsapss sha256
  tpm2_quote -Q -c q.ctx --scheme rsapss -g sha256 -l sha256:0 -m q.msg -s q.sig -f plain
  tpm2_readpublic -Q -c q.ctx -f pem -o q.pem
  openssl dgst -sha256 -verify q.pem -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:auto -signature q.sig q.msg
}
check "tpm2_quote: rsa2048 rsapss sha256" pss
check "tpm2_quote: ECDSA" tpm2_quote -c ak.ctx -l sha256:0,1,16 -q $nonce -m attest -s q.sig -o q.pcrs -g sha256
check "tpm2_checkquote: ECDSA" tpm2_checkquote -u ak.pem -m attest -s q.sig -f q.pcrs -g sha256 -q $nonce
refused "tpm2_checkquote: another nonce" 'nonce|qualif' tpm2_checkquote -u ak.pem -m attest -s q.sig -f q.pcrs -g sha256 -q ff
refused "tpm2_checkquote: another key" . tpm2_checkquote -u q.pub -m attest -s q.sig -f q.pcrs -g sha256 -q $nonce
prints "tpm2_print: a quote" 'magic: ff544347' tpm2_print -t TPMS_ATTEST attest
prints "tpm2_print: its PCRs" 'pcrSelect: *"?030001|pcrSelect: *03' tpm2_print -t TPMS_ATTEST attest
given tpm2_quote -Q -c ak.ctx -l sha256:0,1,16 -q $nonce -m attest -s sig -f plain -g sha256
check "tpm2_quote: the digest of the PCRs" holds_attested 8018 "$(sha256 $zeros$zeros$zeros)"

given tpm2_certify -c srk.ctx -C ak.ctx -g sha256 -o attest -s sig -f plain
certified() { authentic && [[ $(hex attest) == ff5443478017*$(hex srk.name)*$(hex srk.qualified) ]]; }
check "tpm2_certify: the Names of a key" certified
given tpm2_certifycreation -C ak.ctx -c srk.ctx -d hash -t ticket -g sha256 -s ecdsa -f plain -o sig --attestation attest -q $nonce
check "tpm2_certifycreation: the Name and the creation" holds_attested 801a "$(hex srk.name)*$(tail -c 32 hash | xxd -p -c 32)"
wrong() { tpm2_certifycreation -C ak.ctx -c ak.ctx -d hash -t ticket -g sha256 -s ecdsa -f plain -o sig --attestation attest; }
refused "tpm2_certifycreation: not of another object" 'ticket' wrong

printf 'some data' >data
given tpm2_nvdefine 0x1500040 -C o -s 9 -a 'ownerread|ownerwrite'
given tpm2_nvwrite 0x1500040 -C o -i data
given tpm2_nvcertify -C ak.ctx -c o -g sha256 -s ecdsa -f plain -o sig --attestation attest --size 9 -q $nonce 0x1500040
check "tpm2_nvcertify: the contents" holds_attested 8014 "$(hex data)"

given tpm2_gettime -c ak.ctx -g sha256 -s ecdsa -f plain -o sig --attestation attest -q $nonce
check "tpm2_gettime: the time" holds_attested 8019 ""

# A credential for a key that is in the same TPM as the EK.
given tpm2_createek -G rsa -c ek.ctx -u ek.pub
given tpm2_readpublic -c ek.ctx -f pem -o ek.pem
given tpm2_createek -G ecc -c ek-ecc.ctx -u ek-ecc.pub
printf 'the credential' >credential
activate() { # EK KEY: what is in blob
  policy_session
  tpm2_policysecret -S s.ctx -c e
  rm -f got
  tpm2_activatecredential -c "$2" -C "$1" -i blob -o got -P session:s.ctx
  cmp got credential
}
check "tpm2_makecredential: for an RSA EK" tpm2_makecredential -u ek.pub -s credential -n "$(hex ak.name)" -o blob
check "tpm2_activatecredential: with the RSA EK" activate ek.ctx ak.ctx
refused "tpm2_activatecredential: not for another key" 'integrity|parameter' activate ek.ctx srk.ctx
check "tpm2_makecredential: for an ECC EK" tpm2_makecredential -u ek-ecc.pub -s credential -n "$(hex ak.name)" -o blob
check "tpm2_activatecredential: with the ECC EK" activate ek-ecc.ctx ak.ctx
check "tpm2_makecredential: without a TPM" tpm2_makecredential -T none -u ek.pem -G rsa -s credential -n "$(hex ak.name)" -o blob
check "tpm2_activatecredential: what was made without a TPM" activate ek.ctx ak.ctx

# The TPM completes and signs a certificate. No tool sends TPM2_CertifyX509 itself.
check "tpm2_certifyX509certutil: a certificate to complete" tpm2_certifyX509certutil -o partial.der -d 10 -i 'C=US;O=Issuer;CN=ak' -s 'C=US;O=Subject;CN=srk'
prints "tpm2_certifyX509certutil: its subject" 'Subject' openssl asn1parse -inform DER -in partial.der
certify_x509() {
  # TPMA_OBJECT: sign and x509sign, which the tools have no name for; fixed, made here, authorized by authValue.
  tpm2_createprimary -Q -C o -G ecc256:ecdsa-sha256:null -a 0x000c0072 -c ca.ctx
  tpm2_evictcontrol -Q -C o -c ca.ctx 0x81000040
  size=$(stat -c %s partial.der)
  length=$((10 + 8 + 4 + 18 + 2 + 2 + 2 + size))
  unhex 8002 "$(printf %08x $length)" 00000197 81000040 81000040 00000012 400000090000000000 400000090000000000 \
    0000 0010 "$(printf %04x "$size")" "$(hex partial.der)" >request
  tpm2_send -o response request
  hex response
}
prints "tpm2_send: TPM2_CertifyX509" '^8002[0-9a-f]{8}00000000' certify_x509
