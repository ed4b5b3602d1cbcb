# Primary objects, persistent objects, and the seeds that they come from.
. "$LIB"

check "tpm2_createprimary: a storage key" tpm2_createprimary -C o -G ecc -c srk.ctx
name() { tpm2_readpublic -Q -c "$1" -n "$1.name" && hex "$1.name"; }
same() { tpm2_createprimary -Q -C o -G ecc -c again.ctx && [ "$(name srk.ctx)" = "$(name again.ctx)" ]; }
check "tpm2_createprimary: the same key each time" same
unique() {
  head -c 64 /dev/zero | tr '\0' x >unique
  tpm2_createprimary -Q -C o -G rsa -u unique -c again.ctx && tpm2_createprimary -Q -C o -G rsa -c other.ctx
  [ "$(name again.ctx)" != "$(name other.ctx)" ]
}
check "tpm2_createprimary: another for another template" unique
for hierarchy in o e p n; do check "tpm2_createprimary: hierarchy $hierarchy" tpm2_createprimary -C $hierarchy -c any.ctx; done
for alg in rsa2048 rsa3072 ecc256 ecc384 ecc521; do
  prints "tpm2_createprimary: $alg" "value: ${alg%%[0-9]*}" tpm2_createprimary -G $alg -c any.ctx
done
refused "tpm2_createprimary: a size that does not exist" . tpm2_createprimary -G rsa1000 -c any.ctx
check "tpm2_createprimary: creation data" tpm2_createprimary -C o -c any.ctx --creation-data data --creation-hash hash -t ticket -q abcd -l sha256:0
data_is_hashed() { holds hash "0020$(tail -c +3 data | sha256sum | cut -d' ' -f1)"; }
check "tpm2_createprimary: its hash is of the data" data_is_hashed

check "tpm2_evictcontrol: keep" tpm2_evictcontrol -C o -c srk.ctx 0x81000001
prints "tpm2_evictcontrol: it is there" '0x81000001' tpm2_getcap handles-persistent
persistent_name() { [ "$(name 0x81000001)" = "$(hex srk.ctx.name)" ]; }
check "tpm2_evictcontrol: the same object" persistent_name
refused "tpm2_evictcontrol: the handle is taken" 0x14C tpm2_evictcontrol -C o -c again.ctx 0x81000001
printf 'a secret' >secret
under_persistent() {
  tpm2_create -Q -C 0x81000001 -i secret -u sealed.pub -r sealed.priv
  tpm2_load -Q -C 0x81000001 -u sealed.pub -r sealed.priv -c sealed.ctx
  tpm2_unseal -c sealed.ctx
}
prints "tpm2_load: under a persistent parent" '^a secret$' under_persistent
refused "tpm2_evictcontrol: not by another hierarchy" 'handle\(1\)|hierarchy|parameter\(1\)' tpm2_evictcontrol -C p -c srk.ctx 0x81000002
check "tpm2_evictcontrol: to a file of the TSS" tpm2_evictcontrol -C o -c srk.ctx -o srk.tr 0x81000003
esys_name() { tpm2_print -t ESYS_TR srk.tr; }
prints "tpm2_print: a file of the TSS" 'tpm-handle: *0x81000003|handle: *0x81000003|0x81000003' esys_name
check "tpm2_evictcontrol: forget" tpm2_evictcontrol -C o -c 0x81000001
refused "tpm2_readpublic: it is gone" 'handle\(1\)|handle' tpm2_readpublic -c 0x81000001
