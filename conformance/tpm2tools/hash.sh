# Hashes and HMACs, as others compute them.
. "$LIB"

printf 'a message' >message
head -c 5000 /dev/urandom >long
for g in sha1 sha256 sha384 sha512; do
  prints "tpm2_hash: $g" "^$(${g}sum message | cut -d' ' -f1)$" tpm2_hash -C n -g $g --hex message
done
prints "tpm2_hash: longer than a command" "^$(sha256sum long | cut -d' ' -f1)$" tpm2_hash -C o -g sha256 --hex -t ticket long
ticket() { # HASHCHECK, or the null ticket where the data could be TPMS_ATTEST
  [[ $(hex ticket) == 8024$1* ]] || { hex ticket && return 1; }
}
check "tpm2_hash: a ticket that it was hashed here" ticket 40000001
{ unhex ff544347 && cat message; } >attest
given tpm2_hash -C o -g sha256 --hex -t ticket attest
check "tpm2_hash: no ticket for what begins as an attestation" ticket 40000007
prints "tpm2_hash: nothing" "^$(sha256)$" tpm2_hash -C n -g sha256 --hex /dev/null
refused "tpm2_hash: no such hash" '' tpm2_hash -g sha42 message

given tpm2_createprimary -C o -G ecc -c srk.ctx
printf key >hmac.key
expected() { openssl dgst -"$1" -hmac key -r "$2" | cut -d' ' -f1; }
for g in sha1 sha256 sha384; do
  given tpm2_import -C srk.ctx -G hmac:$g -i hmac.key -u k.pub -r k.priv
  given tpm2_load -C srk.ctx -u k.pub -r k.priv -c k.ctx
  prints "tpm2_hmac: $g" "^$(expected $g message)$" tpm2_hmac -c k.ctx -g $g --hex message
  prints "tpm2_hmac: longer than a command, $g" "^$(expected $g long)$" tpm2_hmac -c k.ctx -g $g --hex long
done
given tpm2_create -C srk.ctx -G hmac -p open -u k.pub -r k.priv -c k.ctx
prints "tpm2_hmac: with the key's password" '^[0-9a-f]{64}$' tpm2_hmac -c k.ctx -p open --hex message
refused "tpm2_hmac: with another" 'authorization' tpm2_hmac -c k.ctx -p shut --hex message
given tpm2_create -C srk.ctx -G ecc -u x.pub -r x.priv -c ecc.ctx
refused "tpm2_hmac: not with a key of another kind" 'type|handle|symmetric' tpm2_hmac -c ecc.ctx --hex message
