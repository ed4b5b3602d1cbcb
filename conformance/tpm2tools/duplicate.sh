# Keys that move from one parent to another.
. "$LIB"

given tpm2_createprimary -C o -G ecc -c old.ctx
given tpm2_createprimary -C n -G rsa -c new.ctx
given tpm2_readpublic -c new.ctx -o new.pub -n new.name
policy() {
  tpm2_startauthsession -S trial.ctx
  tpm2_policycommandcode -S trial.ctx -L dup.policy TPM2_CC_Duplicate
  tpm2_flushcontext trial.ctx
}
given policy
may='sensitivedataorigin|userwithauth|sign|decrypt'
given tpm2_create -C old.ctx -G ecc -u key.pub -r key.priv -L dup.policy -a "$may" -c key.ctx
given tpm2_create -C old.ctx -G ecc -c fixed.ctx

duplicate() { # ARGS...: duplicates key.ctx, authorized by its policy
  policy_session
  tpm2_policycommandcode -S s.ctx TPM2_CC_Duplicate
  tpm2_duplicate -c key.ctx -p session:s.ctx "$@"
}
moved() { # ARGS...: imports it under the new parent, loads it, and signs with it
  tpm2_import -C new.ctx -u key.pub -r moved.priv "$@"
  tpm2_load -C new.ctx -u key.pub -r moved.priv -c moved.ctx
  printf message >message
  tpm2_sign -c moved.ctx -g sha256 -f plain -o sig message
  tpm2_readpublic -Q -c key.ctx -f pem -o key.pem
  openssl dgst -sha256 -verify key.pem -signature sig message
}
check "tpm2_duplicate: to a new parent" duplicate -C new.ctx -G null -r dup.priv -s dup.seed
check "tpm2_import: what was duplicated" moved -i dup.priv -s dup.seed
check "tpm2_duplicate: with an inner wrapper" duplicate -C new.ctx -G aes -o inner.key -r dup.priv -s dup.seed
check "tpm2_import: with the inner wrapper's key" moved -i dup.priv -s dup.seed -k inner.key
head -c 16 /dev/urandom >wrong.key
refused "tpm2_import: with another key" 'parameter|integrity|size' moved -i dup.priv -s dup.seed -k wrong.key
head -c 16 /dev/urandom >given.key
check "tpm2_duplicate: with a key of the caller's" duplicate -C new.ctx -G aes -i given.key -r dup.priv -s dup.seed
check "tpm2_import: with the caller's key" moved -i dup.priv -s dup.seed -k given.key
check "tpm2_duplicate: to no parent" duplicate -C null -G null -r dup.priv -s dup.seed
refused "tpm2_duplicate: without the role" 'policy|authorization' tpm2_duplicate -C new.ctx -c key.ctx -G null -r dup.priv -s dup.seed
not_fixed() {
  policy_session
  tpm2_policycommandcode -S s.ctx TPM2_CC_Duplicate
  tpm2_duplicate -C new.ctx -c fixed.ctx -G null -p session:s.ctx -r dup.priv -s dup.seed
}
refused "tpm2_duplicate: not what is fixed" . not_fixed

# The same without a TPM at the sender: it wraps a key for the new parent.
openssl ecparam -name prime256v1 -genkey -noout -out ec.pem
check "tpm2_duplicate: without a TPM" tpm2_duplicate -T none -U new.pub -G ecc -k ec.pem -u key.pub -r dup.priv -s dup.seed
wrapped() {
  tpm2_import -C new.ctx -u key.pub -i dup.priv -r moved.priv -s dup.seed
  tpm2_load -C new.ctx -u key.pub -r moved.priv -c key.ctx
  tpm2_readpublic -Q -c key.ctx -f pem -o key.pem
  openssl ec -in ec.pem -pubout -out ec.pub.pem
  cmp key.pem ec.pub.pem
}
check "tpm2_import: what was wrapped without a TPM" wrapped
