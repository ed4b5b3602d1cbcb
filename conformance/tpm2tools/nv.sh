# NV indices of every type.
. "$LIB"

index=0x01500010
check "tpm2_nvdefine: an ordinary index" tpm2_nvdefine -C o -s 32 -a 'ownerread|ownerwrite|policywrite|authread|authwrite' -p word $index
prints "tpm2_nvreadpublic: it is defined" 'size: 32' tpm2_nvreadpublic $index
refused "tpm2_nvdefine: twice" 'already|defined|0x14c|14C' tpm2_nvdefine -C o -s 32 $index
refused "tpm2_nvread: before it was written" '0x14a|14A|not yet been set|uninitialized' tpm2_nvread -C o $index
head -c 32 /dev/urandom >data
check "tpm2_nvwrite: as the owner" tpm2_nvwrite -C o -i data $index
check "tpm2_nvread: the same" bash -c "tpm2_nvread -C o -o back $index && cmp data back"
check "tpm2_nvread: with the index's own password" bash -c "tpm2_nvread -C $index -P word -s 4 --offset 8 -o part $index && cmp part <(tail -c +9 data | head -c 4)"
refused "tpm2_nvread: with another password" . tpm2_nvread -C $index -P other $index
check "tpm2_nvwrite: in the middle" bash -c "printf abcd | tpm2_nvwrite -C $index -P word --offset 28 -i - $index"
refused "tpm2_nvwrite: beyond the end" . bash -c "printf abcd | tpm2_nvwrite -C o --offset 30 -i - $index"
tpm2_startauthsession -S s.ctx && tpm2_policycommandcode -Q -S s.ctx -L change.policy TPM2_CC_NV_ChangeAuth && tpm2_flushcontext s.ctx
change_index() {
  tpm2_nvdefine -C o -s 4 -p old -L change.policy -a 'authread|authwrite|policyread' 0x01500019 &&
    tpm2_startauthsession --policy-session -S s.ctx && tpm2_policycommandcode -S s.ctx TPM2_CC_NV_ChangeAuth &&
    tpm2_changeauth -c 0x01500019 -p session:s.ctx new && tpm2_flushcontext s.ctx && printf abcd | tpm2_nvwrite -C 0x01500019 -P new -i - 0x01500019 &&
    tpm2_nvundefine -C o 0x01500019
}
check "tpm2_changeauth: of an index" change_index
check "tpm2_nvundefine: an index" tpm2_nvundefine -C o $index
refused "tpm2_nvreadpublic: it is gone" . tpm2_nvreadpublic $index

check "tpm2_nvdefine: a counter" tpm2_nvdefine -C o -s 8 -a 'nt=counter|ownerread|ownerwrite' $index
check "tpm2_nvincrement: once" tpm2_nvincrement -C o $index
first=$(tpm2_nvread -C o $index | xxd -p)
check "tpm2_nvincrement: again" tpm2_nvincrement -C o $index
second=$(tpm2_nvread -C o $index | xxd -p)
check "tpm2_nvincrement: it counts" test $((16#$second)) = $((16#$first + 1))
refused "tpm2_nvwrite: a counter" . tpm2_nvwrite -C o -i data $index
tpm2_nvundefine -Q -C o $index
check "tpm2_nvdefine: the index again" tpm2_nvdefine -C o -s 8 -a 'nt=counter|ownerread|ownerwrite' $index
tpm2_nvincrement -Q -C o $index
third=$(tpm2_nvread -C o $index | xxd -p)
check "tpm2_nvincrement: a counter never goes back" test $((16#$third)) -ge $((16#$second))
tpm2_nvundefine -Q -C o $index

check "tpm2_nvdefine: bits" tpm2_nvdefine -C o -s 8 -a 'nt=bits|ownerread|ownerwrite' $index
check "tpm2_nvsetbits: two of them" bash -c "tpm2_nvsetbits -C o -i 0x01 $index && tpm2_nvsetbits -C o -i 0x8000 $index"
prints "tpm2_nvread: both" '0000000000008001' bash -c "tpm2_nvread -C o $index | xxd -p"
tpm2_nvundefine -Q -C o $index

check "tpm2_nvdefine: to extend" tpm2_nvdefine -C o -g sha256 -a 'nt=extend|ownerread|ownerwrite' $index
check "tpm2_nvextend: data" bash -c "printf hello | tpm2_nvextend -C o -i - $index"
want=$({ head -c 32 /dev/zero; printf hello; } | sha256sum | cut -d' ' -f1)
prints "tpm2_nvextend: the hash of both" "$want" bash -c "tpm2_nvread -C o $index | xxd -p -c 64"
tpm2_nvundefine -Q -C o $index

check "tpm2_nvdefine: with locks" tpm2_nvdefine -C o -s 4 -a 'ownerread|ownerwrite|read_stclear|write_stclear' $index
printf abcd | tpm2_nvwrite -Q -C o -i - $index
check "tpm2_nvreadlock: an index" tpm2_nvreadlock -C o $index
refused "tpm2_nvread: a locked index" 'lock|0x148' tpm2_nvread -C o $index
check "tpm2_nvwritelock: an index" tpm2_nvwritelock -C o $index
refused "tpm2_nvwrite: a locked index" 'lock|0x148' bash -c "printf abcd | tpm2_nvwrite -C o -i - $index"
tpm2_nvundefine -Q -C o $index
check "tpm2_nvdefine: with the global lock" tpm2_nvdefine -C o -s 4 -a 'ownerread|ownerwrite|globallock' $index
check "tpm2_nvwritelock: all that want it" tpm2_nvwritelock -C o --global
refused "tpm2_nvwrite: under the global lock" 'lock|0x148' bash -c "printf abcd | tpm2_nvwrite -C o -i - $index"
tpm2_nvundefine -Q -C o $index

head -c 2048 /dev/urandom >big
check "tpm2_nvdefine: the largest index" tpm2_nvdefine -C o -s 2048 $index
check "tpm2_nvwrite: in several commands" tpm2_nvwrite -C o -i big $index
check "tpm2_nvread: in several commands" bash -c "tpm2_nvread -C o -o back $index && cmp big back"
refused "tpm2_nvdefine: larger than an index can be" . tpm2_nvdefine -C o -s 2049 0x01500011
prints "tpm2_getcap: the index is listed" "1500010" tpm2_getcap handles-nv-index
tpm2_nvundefine -Q -C o $index

tpm2_startauthsession -S s.ctx && tpm2_policycommandcode -Q -S s.ctx -L undefine.policy TPM2_CC_NV_UndefineSpaceSpecial && tpm2_flushcontext s.ctx
check "tpm2_nvdefine: of the platform, under a policy" tpm2_nvdefine -C p -s 8 -L undefine.policy -a 'policydelete|platformcreate|ppread|ppwrite|policywrite|policyread' 0x01400001
refused "tpm2_nvundefine: only by its policy" . tpm2_nvundefine -C p 0x01400001
special() {
  tpm2_startauthsession --policy-session -S s.ctx && tpm2_policycommandcode -S s.ctx TPM2_CC_NV_UndefineSpaceSpecial &&
    tpm2_nvundefine -S s.ctx 0x01400001 && tpm2_flushcontext s.ctx
}
check "tpm2_nvundefine: by its policy" special
