# IBM's TSS tools (Debian's tss2) over each transport that they have: the simulator's
# protocol with its platform port, and swtpm's data channel bare and with the simulator's
# header. OpenSSL is the second opinion on signatures and digests.
. "$(dirname "$0")/lib"
needs tssstartup openssl
export TPM_INTERFACE_TYPE=socsim TPM_SERVER_NAME=127.0.0.1 TPM_DATA_DIR=. TPM_ENCRYPT_SESSIONS=0

# startup: the simulator needs the power on; behind swtpm's protocol the VM has done that.
startup() {
  [ "$transport" != mssim ] || check "power on" tsspowerup
  refused "a command before Startup" TPM_RC_INITIALIZE tssgetrandom -by 8
  check "startup" tssstartup
  refused "a second startup" TPM_RC_INITIALIZE tssstartup
  check "random numbers" tssgetrandom -by 32 -of random
  check "stir" tssstirrandom -if random
  check "algorithms" tssgetcapability -cap 0
  grep -qi ecdsa out || fail "capability: no ECDSA in the algorithms"
  check "commands" tssgetcapability -cap 2 -pr 11f
  check "properties" tssgetcapability -cap 6 -pr 100
  check "curves" tssgetcapability -cap 8
  check "clock" tssreadclock
}

pcrs() {
  local alg
  check "reset PCR 16" tsspcrreset -ha 16
  check "extend PCR 16" tsspcrextend -ha 16 -halg sha1 -halg sha256 -halg sha384 -ic measured
  for alg in sha1 sha256 sha384; do
    check "read PCR 16, $alg" tsspcrread -ha 16 -halg $alg -of pcr
    # The tool pads the text with zeros to the digest's size.
    { printf measured; head -c $(($(stat -c %s pcr) - 8)) /dev/zero; } >digest
    { head -c "$(stat -c %s pcr)" /dev/zero; cat digest; } | openssl dgst -$alg -binary >expected
    same "PCR 16, $alg" pcr expected
  done
  refused "reset of PCR 1" TPM_RC_LOCALITY tsspcrreset -ha 1
}

# keys: a storage key with a password, and below it one of each kind, loaded and used.
keys() {
  local alg
  check "storage key" tsscreateprimary -hi o -pwdk sto -st
  refused "a child with a wrong password" 'TPM_RC_\(BAD_AUTH\|AUTH_FAIL\)' \
    tsscreate -hp 80000000 -si -pwdp wrong -opr s.priv -opu s.pub
  echo message >message
  for alg in rsa "ecc nistp256"; do
    check "create: $alg" tsscreate -hp 80000000 -si -$alg -kt f -kt p -pwdp sto -pwdk sig \
      -opr s.priv -opu s.pub -opem s.pem
    check "load: $alg" tssload -hp 80000000 -ipr s.priv -ipu s.pub -pwdp sto
    check "sign: $alg" tsssign -hk 80000001 -${alg% *} -halg sha256 -if message -os sig -pwdk sig
    check "verify: $alg" tssverifysignature -hk 80000001 -halg sha256 -if message -is sig
    echo other >other
    refused "verify another message: $alg" TPM_RC_SIGNATURE tssverifysignature -hk 80000001 -halg sha256 -if other -is sig
    refused "sign with a wrong password: $alg" 'TPM_RC_\(BAD_AUTH\|AUTH_FAIL\)' \
      tsssign -hk 80000001 -${alg% *} -halg sha256 -if message -os sig2 -pwdk wrong
    check "flush: $alg" tssflushcontext -ha 80000001
  done
  openssl_verifies
  check "make persistent" tssevictcontrol -hi o -ho 80000000 -hp 81000100
  check "below the persistent key" tsscreate -hp 81000100 -si -pwdp sto -opr s.priv -opu s.pub
  check "remove it" tssevictcontrol -hi o -ho 81000100 -hp 81000100
  refused "a child of what was removed" 'TPM_RC_\(HANDLE\|REFERENCE\)' tsscreate -hp 81000100 -si -opr s.priv -opu s.pub
  check "HMAC key" tsscreate -hp 80000000 -kh -kt f -kt p -pwdp sto -opr h.priv -opu h.pub
  check "load it" tssload -hp 80000000 -ipr h.priv -ipu h.pub -pwdp sto
  check "HMAC" tsshmac -hk 80000001 -if message -os mac1
  check "HMAC again" tsshmac -hk 80000001 -if message -os mac2
  same "the HMACs" mac1 mac2
  check "flush" tssflushcontext -ha 80000001
  check "AES key" tsscreate -hp 80000000 -des -kt f -kt p -pwdp sto -opr a.priv -opu a.pub
  check "load it" tssload -hp 80000000 -ipr a.priv -ipu a.pub -pwdp sto
  check "encrypt" tssencryptdecrypt -hk 80000001 -if message -of secret
  check "decrypt" tssencryptdecrypt -hk 80000001 -d -if secret -of plain
  same "decrypted" plain message
  check "flush" tssflushcontext -ha 80000001
}

# openssl_verifies: the last signature, which is an ECDSA signature in the TPM's form: two
# algorithms, and r and s behind their sizes.
openssl_verifies() {
  local r s n
  n=$(od -An -tu1 -j5 -N1 sig | tr -d ' ')
  r=$(tail -c +7 sig | head -c "$n" | od -An -tx1 -v | tr -d ' \n')
  s=$(tail -c +$((7 + n + 2)) sig | od -An -tx1 -v | tr -d ' \n')
  printf 'asn1=SEQUENCE:s\n[s]\nr=INTEGER:0x%s\ns=INTEGER:0x%s\n' "$r" "$s" >sig.conf
  check "as OpenSSL has it" openssl asn1parse -genconf sig.conf -noout -out sig.der
  check "OpenSSL verifies" openssl dgst -sha256 -verify s.pem -signature sig.der message
}

# sealed: a password, a session with encryption, a policy on a PCR that then changes.
sealed() {
  echo "a secret" >secret
  check "seal" tsscreate -hp 80000000 -bl -kt f -kt p -if secret -pwdp sto -pwdk seal -opr s.priv -opu s.pub
  check "load it" tssload -hp 80000000 -ipr s.priv -ipu s.pub -pwdp sto
  check "unseal" tssunseal -ha 80000001 -pwd seal -of plain
  same "unsealed" plain secret
  refused "unseal with a wrong password" 'TPM_RC_\(BAD_AUTH\|AUTH_FAIL\)' tssunseal -ha 80000001 -pwd wrong
  local sym
  for sym in xor aes; do
    check "salted session, $sym" tssstartauthsession -se h -hs 80000000 -bi 80000001 -pwdb seal -sym $sym
    check "unseal, encrypted with $sym" tssunseal -ha 80000001 -pwd seal -of plain -se0 02000000 41
    same "unsealed" plain secret
    check "and again" tssunseal -ha 80000001 -pwd seal -of plain -se0 02000000 40
    refused "in a session that has ended" TSS_RC tssunseal -ha 80000001 -pwd seal -se0 02000000 1
  done
  check "flush" tssflushcontext -ha 80000001

  check "trial session" tssstartauthsession -se t
  check "PolicyPCR" tsspolicypcr -ha 03000000 -bm 10000
  check "its digest" tsspolicygetdigest -ha 03000000 -of policy
  check "flush" tssflushcontext -ha 03000000
  check "seal to PCR 16" tsscreate -hp 80000000 -bl -kt f -kt p -if secret -pwdp sto -pol policy -uwa -opr s.priv -opu s.pub
  check "load it" tssload -hp 80000000 -ipr s.priv -ipu s.pub -pwdp sto
  refused "unseal without the policy" 'TPM_RC_\(AUTH_UNAVAILABLE\|POLICY_FAIL\|AUTH_TYPE\)' tssunseal -ha 80000001
  check "policy session" tssstartauthsession -se p
  check "PolicyPCR" tsspolicypcr -ha 03000000 -bm 10000
  check "unseal" tssunseal -ha 80000001 -of plain -se0 03000000 1
  same "unsealed" plain secret
  check "extend PCR 16" tsspcrextend -ha 16 -ic more
  check "PolicyPCR" tsspolicypcr -ha 03000000 -bm 10000
  refused "unseal with another PCR 16" TPM_RC_POLICY_FAIL tssunseal -ha 80000001 -se0 03000000 1
  check "flush" tssflushcontext -ha 03000000
  check "flush" tssflushcontext -ha 80000001
}

policies() {
  check "policy session" tssstartauthsession -se p
  check "PolicySecret" tsspolicysecret -ha 4000000b -hs 03000000
  check "its digest" tsspolicygetdigest -ha 03000000 -of secret.policy
  check "restart" tsspolicyrestart -ha 03000000
  check "PolicyCommandCode" tsspolicycommandcode -ha 03000000 -cc 15d
  check "its digest" tsspolicygetdigest -ha 03000000 -of code.policy
  { head -c 32 /dev/zero; printf '\0\0\1\154\0\0\1\135'; } | openssl dgst -sha256 -binary >expected
  same "PolicyCommandCode's digest" code.policy expected
  check "PolicyOR" tsspolicyor -ha 03000000 -if secret.policy -if code.policy
  check "its digest" tsspolicygetdigest -ha 03000000 -of or.policy
  { head -c 32 /dev/zero; printf '\0\0\1\161'; cat secret.policy code.policy; } | openssl dgst -sha256 -binary >expected
  same "PolicyOR's digest" or.policy expected
  check "restart" tsspolicyrestart -ha 03000000
  check "PolicyAuthValue" tsspolicyauthvalue -ha 03000000
  refused "PolicyOR of others" TPM_RC_VALUE tsspolicyor -ha 03000000 -if secret.policy -if code.policy
  check "flush" tssflushcontext -ha 03000000

  check "a key for PolicyCommandCode(Sign)" tsscreate -hp 80000000 -si -kt f -kt p -pwdp sto -pol code.policy -uwa -opr s.priv -opu s.pub
  check "load it" tssload -hp 80000000 -ipr s.priv -ipu s.pub -pwdp sto
  check "policy session" tssstartauthsession -se p
  check "PolicyCommandCode" tsspolicycommandcode -ha 03000000 -cc 15d
  check "sign" tsssign -hk 80000001 -if message -os sig -se0 03000000 1
  check "PolicyCommandCode" tsspolicycommandcode -ha 03000000 -cc 15d
  refused "quote by a policy for signing" TPM_RC_POLICY_CC tssquote -hp 16 -hk 80000001 -se0 03000000 1
  check "flush" tssflushcontext -ha 03000000
  check "flush" tssflushcontext -ha 80000001
}

nv() {
  check "define" tssnvdefinespace -hi o -ha 01000000 -pwdn nv -sz 16
  refused "define it twice" TPM_RC_NV_DEFINED tssnvdefinespace -hi o -ha 01000000 -pwdn nv -sz 16
  refused "read what was not written" TPM_RC_NV_UNINITIALIZED tssnvread -ha 01000000 -pwdn nv -sz 8
  printf 0123456789abcdef >data
  check "write" tssnvwrite -ha 01000000 -pwdn nv -if data
  check "read" tssnvread -ha 01000000 -pwdn nv -sz 16 -of read
  same "what was read" read data
  refused "read with a wrong password" 'TPM_RC_\(BAD_AUTH\|AUTH_FAIL\)' tssnvread -ha 01000000 -pwdn wrong -sz 8
  refused "read beyond the end" TPM_RC_NV_RANGE tssnvread -ha 01000000 -pwdn nv -sz 8 -off 12
  check "public area" tssnvreadpublic -ha 01000000
  check "undefine" tssnvundefinespace -hi o -ha 01000000
  check "define a counter" tssnvdefinespace -hi o -ha 01000001 -ty c -pwdn nv
  check "count" tssnvincrement -ha 01000001 -pwdn nv
  check "read" tssnvread -ha 01000001 -pwdn nv -sz 8 -of one
  check "count" tssnvincrement -ha 01000001 -pwdn nv
  check "read" tssnvread -ha 01000001 -pwdn nv -sz 8 -of two
  [ $((0x$(od -An -tx1 one | tr -d ' ') + 1)) = $((0x$(od -An -tx1 two | tr -d ' '))) ] || fail "the counter does not count"
  check "undefine" tssnvundefinespace -hi o -ha 01000001
  check "define bits" tssnvdefinespace -hi o -ha 01000002 -ty b -pwdn nv
  check "set bit 4" tssnvsetbits -ha 01000002 -pwdn nv -bit 4
  check "read" tssnvread -ha 01000002 -pwdn nv -sz 8 -of bits
  printf '\0\0\0\0\0\0\0\20' >expected
  same "the bits" bits expected
  check "undefine" tssnvundefinespace -hi o -ha 01000002
}

attestation() {
  check "attestation key" tsscreate -hp 80000000 -sir -ecc nistp256 -kt f -kt p -pwdp sto -pwdk ak -opr k.priv -opu k.pub
  check "load it" tssload -hp 80000000 -ipr k.priv -ipu k.pub -pwdp sto
  printf nonce >nonce
  check "quote" tssquote -hp 16 -hk 80000001 -salg ecc -pwdk ak -qd nonce -os sig -oa quote
  check "verify it" tssverifysignature -hk 80000001 -if quote -is sig
  grep -q nonce quote || fail "quote: the nonce is not in it"
  check "certify" tsscertify -ho 80000000 -pwdo sto -hk 80000001 -salg ecc -pwdk ak -os sig -oa attest
  check "verify it" tssverifysignature -hk 80000001 -if attest -is sig
  check "time" tssgettime -hk 80000001 -salg ecc -pwdk ak -os sig -oa attest
  check "verify it" tssverifysignature -hk 80000001 -if attest -is sig
  printf credential >credential
  check "make a credential" tssmakecredential -ha 80000000 -icred credential -in h80000001.bin -ocred blob -os seed
  check "activate it" tssactivatecredential -ha 80000001 -hk 80000000 -icred blob -is seed -pwda ak -pwdk sto -ocred activated
  same "the credential" activated credential
  check "save the context" tsscontextsave -ha 80000001 -of context
  check "flush" tssflushcontext -ha 80000001
  check "load the context" tsscontextload -if context
  check "quote" tssquote -hp 16 -hk 80000001 -salg ecc -pwdk ak -os sig -oa quote
  check "flush" tssflushcontext -ha 80000001
}

hierarchies() {
  check "owner's password" tsshierarchychangeauth -hi o -pwdn own
  refused "without it" 'TPM_RC_\(BAD_AUTH\|AUTH_FAIL\)' tsscreateprimary -hi o
  check "with it" tsscreateprimary -hi o -pwdp own
  check "flush" tssflushcontext -ha 80000001
  check "owner's password back" tsshierarchychangeauth -hi o -pwda own
  check "clear" tssclear -hi p
  refused "a key of the old seed" 'TPM_RC_\(HANDLE\|REFERENCE_H0\)' tssreadpublic -ho 80000000
  check "shutdown" tssshutdown -s
}

free_port() {
  local port
  for port in $(shuf -i 20000-29998 -n 20); do
    (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || (: <>"/dev/tcp/127.0.0.1/$((port + 1))") 2>/dev/null || { echo "$port"; return; }
  done
}

for transport in mssim raw header; do
  before=$checked
  mkdir $transport
  cd $transport
  case $transport in
  mssim)
    "$bootseal" vtpm mssim --listen 127.0.0.1:0 2>said &
    pids+=($!)
    until_there 10 grep -q '^commands at' said
    TPM_COMMAND_PORT=$(sed -n 's/^commands at 127\.0\.0\.1:\([0-9]*\),.*/\1/p' said)
    TPM_SERVER_TYPE=mssim
    ;;
  *)
    TPM_COMMAND_PORT=$(free_port)
    serve tpm --flags not-need-init --server "type=tcp,port=$TPM_COMMAND_PORT"
    TPM_SERVER_TYPE=raw
    [ $transport = raw ] || TPM_SERVER_TYPE=mssim
    ;;
  esac
  export TPM_COMMAND_PORT TPM_SERVER_TYPE TPM_PLATFORM_PORT=$((TPM_COMMAND_PORT + 1))
  for part in startup pcrs keys sealed policies nv attestation hierarchies; do $part; done
  cd ..
  echo "ok $transport: $((checked - before)) checks"
done
