# A TPM as libvirt has it made and started: through links of the names swtpm_setup and swtpm,
# with their flags, its state encrypted by a password. tpm2-tools and openssl find its keys
# and certificates.
. "$(dirname "$0")/lib"
needs tpm2 openssl
ln -s "$bootseal" swtpm_setup
ln -s "$bootseal" swtpm
echo 'a secret of libvirt' >secret
export XDG_CONFIG_HOME=$PWD # not the configuration of this machine
: >swtpm_setup.conf

./swtpm_setup --print-capabilities | grep -q cmdarg-pwdfile-fd || fail "capabilities"
setup() {
  ./swtpm_setup --tpm2 --tpm-state state --vmid vm:e7b1 --pwdfile-fd 9 --cipher=aes-256-cbc --logfile setup.log \
    --ca ca "$@" 9<secret
}
create=(--createek --create-ek-cert --create-platform-cert --lock-nvram --not-overwrite)
setup "${create[@]}" --write-ek-cert-files .
grep -q 'Successfully authored TPM state' setup.log || fail "nothing is logged"
setup "${create[@]}"
grep -q 'Not overwriting existing state file' setup.log || fail "a second setup makes another TPM"
setup --reconfigure --pcr-banks sha256,sha384
refused "without the password" 'encrypted' ./swtpm_setup --tpm2 --tpm-state state --reconfigure
"$bootseal" vtpm ca export --ca ca --to bundle.pem

# libvirt adds --terminate: its VM keeps one connection, where each tool makes its own.
./swtpm socket --ctrl type=unixio,path=tpm.sock.ctrl,mode=0600 --tpmstate dir=state,mode=0600 --log file=tpm.log \
  --tpm2 --key pwdfd=7,mode=aes-256-cbc --migration-key pwdfd=8,mode=aes-256-cbc \
  --server type=unixio,path=tpm.sock --flags not-need-init,startup-clear --pid file=tpm.pid --daemon 7<secret 8<secret
pids+=("$(cat tpm.pid)")
export TPM2TOOLS_TCTI=swtpm:path=tpm.sock

check "persistent keys" tpm2_getcap handles-persistent
[ "$(tr -d '\n' <out)" = '- 0x81010001- 0x81010016' ] || fail "persistent keys: $(cat out)"
check "PCR banks" tpm2_getcap pcrs
[ "$(grep -c 'sha.*\[ 0' out)" = 2 ] || fail "PCR banks: $(cat out)"
check "the RSA certificate" tpm2_getekcertificate -o rsa.crt
same "the RSA certificate" rsa.crt ek-rsa2048.crt
for index in 0x01c00002 0x01c00016 0x01c08000; do
  check "NV $index" tpm2_nvread -C o -o $index.crt $index
  check "NV $index" openssl x509 -inform der -in $index.crt -out $index.pem
  check "NV $index" openssl verify -x509_strict -CAfile bundle.pem $index.pem
  check "NV $index" openssl x509 -in $index.pem -noout -subject -ext subjectAltName
  grep -q 'CN = vm:e7b1' out || fail "the certificate in NV $index: $(cat out)"
  refused "NV $index is locked" 'locked' tpm2_nvwrite -C p -i secret $index
done

# A credential that is made for the certified key alone is for this TPM.
check "an AK" tpm2_createak -Q -C 0x81010001 -c ak.ctx -n ak.name -G ecc -s ecdsa -g sha256
check "the certified key" openssl x509 -in 0x01c00002.pem -noout -pubkey -out ek.pub
check "make a credential" tpm2_makecredential -Q -T none -u ek.pub -G rsa -s secret -n "$(od -An -v -tx1 ak.name | tr -d ' \n')" -o credential
check "a session" tpm2_startauthsession --policy-session -S session.ctx
check "its policy" tpm2_policysecret -Q -S session.ctx -c e
check "activate it" tpm2_activatecredential -Q -c ak.ctx -C 0x81010001 -i credential -o activated -P session:session.ctx
same "the credential" activated secret
echo "$checked checks"
