# A new TPM's identity: endorsement keys, their certificates, attestation keys.
. "$LIB"

check "tpm2_createek: RSA" tpm2_createek -c ek.ctx -G rsa -u ek.pub
# The policy in the EK credential profile's templates: PolicySecret(endorsement).
policy=$(sha256 "$(sha256 $zeros 00000151 4000000b)")
prints "tpm2_createek: RSA, by the profile" "^013a0001000b000300b20020$policy" hex ek.pub
check "tpm2_createek: ECC, persistent" tpm2_createek -c 0x81010002 -G ecc -u ek-ecc.pub
prints "tpm2_createek: ECC, by the profile" "^007a0023000b000300b20020$policy" hex ek-ecc.pub
prints "tpm2_createek: it is there" 0x81010002 tpm2_getcap handles-persistent
check "tpm2_createek: the same each time" bash -c 'tpm2_createek -c again.ctx -G rsa -u again.pub && cmp again.pub ek.pub'

for c in "rsa rsassa" "rsa rsapss" "ecc ecdsa"; do
  set -- $c
  check "tpm2_createak: $1 $2" tpm2_createak -C ek.ctx -c ak.ctx -G $1 -g sha256 -s $2 -u ak.pub -n ak.name -r ak.priv
done
name() { holds ak.name "000b$(tail -c +3 ak.pub | sha256sum | cut -d' ' -f1)"; }
check "tpm2_createak: its Name is the hash of its public area" name
quote() { tpm2_quote -c ak.ctx -l sha256:0 -g sha256 -m msg -s sig -o pcrs && tpm2_checkquote -u ak.pub -m msg -s sig -f pcrs -g sha256; }
check "tpm2_quote: with the attestation key" quote
check "tpm2_evictcontrol: the attestation key" tpm2_evictcontrol -C o -c ak.ctx 0x81010010

# Manufacturers leave the certificates in NV indices of the platform; others have a
# server, which needs a network.
refused "tpm2_getekcertificate: this TPM came without one" . tpm2_getekcertificate -o none.der
openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=EK -days 1 -outform DER -out ek.der 2>/dev/null
given tpm2_nvdefine 0x1c00002 -C p -s "$(stat -c %s ek.der)" -a 'ppwrite|ppread|ownerread|authread|no_da|platformcreate'
given tpm2_nvwrite 0x1c00002 -C p -i ek.der
stored() { tpm2_getekcertificate -o got.der && cmp got.der ek.der; }
check "tpm2_getekcertificate: the one in NV" stored
skip "tpm2_getekcertificate: a manufacturer's server" "needs a network, and a manufacturer that knows the key"
