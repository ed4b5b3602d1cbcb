# NV indices: ordinary ones, counters, bits, extended ones, PINs, locks.
. "$LIB"

i=0x1500001
may='ownerread|ownerwrite|authread|authwrite'
printf 'some data' >data
printf '8 bytes.' >data8
define() { # ARGS...: defines the index anew
  tpm2_nvundefine -C o $i >/dev/null 2>&1 || true
  tpm2_nvdefine $i -C o "$@"
}
prints "tpm2_nvdefine: an ordinary index" 'nv-index: 0x1500001' define -s 32 -a "$may"
refused "tpm2_nvdefine: not twice" 'already defined' tpm2_nvdefine $i -C o -s 32 -a "$may"
refused "tpm2_nvdefine: larger than any" 'parameter\(2\)|size' tpm2_nvdefine 0x1500002 -C o -s 5000 -a "$may"
prints "tpm2_nvreadpublic: attributes" 'friendly: ownerwrite\|authwrite\|ownerread\|authread$' tpm2_nvreadpublic $i
prints "tpm2_nvreadpublic: of all indices" "^$i:" tpm2_nvreadpublic
# The Name: the hash of TPMS_NV_PUBLIC.
name=$(sha256 01500001 000b 00060006 0000 0020)
prints "tpm2_nvreadpublic: its Name" "name: 000b$name" tpm2_nvreadpublic $i
refused "tpm2_nvread: nothing is written" 'uninitialized|before initialization|not been|initialized' tpm2_nvread $i -C o
check "tpm2_nvwrite: a file" tpm2_nvwrite $i -C o -i data
prints "tpm2_nvread: what was written" '^some data' tpm2_nvread $i -C o -s 9
check "tpm2_nvwrite: at an offset" tpm2_nvwrite $i -C o -i data --offset 23
prints "tpm2_nvread: at the offset" '^data$' tpm2_nvread $i -C o -s 4 --offset 28
refused "tpm2_nvwrite: beyond its end" 'size|range|exceed' tpm2_nvwrite $i -C o -i data --offset 24
refused "tpm2_nvread: beyond its end" 'size|range|exceed' tpm2_nvread $i -C o -s 9 --offset 24
prints "tpm2_nvreadpublic: it is written now" 'friendly:.*written' tpm2_nvreadpublic $i
refused "tpm2_nvread: not by the platform" 'authorization|auth' tpm2_nvread $i -C p
check "tpm2_nvundefine: by its owner" tpm2_nvundefine -C o $i
refused "tpm2_nvread: it is gone" 'handle' tpm2_nvread $i -C o

head -c 2048 /dev/urandom >large
large() { define -s 2048 -a "$may" && tpm2_nvwrite $i -C o -i large && tpm2_nvread $i -C o -o read && cmp large read; }
check "tpm2_nvwrite: longer than a command" large
check "tpm2_nvdefine: with a password" define -s 8 -a "$may" -p index
given tpm2_nvwrite $i -P index -i data8
prints "tpm2_nvread: with the password" '^8 bytes.' tpm2_nvread $i -P index
refused "tpm2_nvread: with another" 'authorization' tpm2_nvread $i -P wrong
given tpm2_dictionarylockout -c
hashed() { define -s 8 -g sha384 -a "$may" && tpm2_nvreadpublic $i; }
prints "tpm2_nvdefine: with a Name of SHA-384" 'name: 000c[0-9a-f]{96}$' hashed

check "tpm2_nvdefine: a counter" define -s 8 -a "nt=counter|$may"
check "tpm2_nvincrement: a first time" tpm2_nvincrement $i -C o
value() { tpm2_nvread -C o $i | xxd -p; }
first=$(value)
check "tpm2_nvincrement: a second time" tpm2_nvincrement $i -C o
one_more() { [ $((16#$(value))) = $((16#$first + 1)) ]; }
check "tpm2_nvincrement: one more" one_more
refused "tpm2_nvwrite: not a counter" . tpm2_nvwrite $i -C o -i data8
monotonic() { define -s 8 -a "nt=counter|$may" && tpm2_nvincrement $i -C o && [ $((16#$(value))) -gt $((16#$first + 1)) ]; }
check "tpm2_nvincrement: a new counter is above all old ones" monotonic

check "tpm2_nvdefine: bits" define -s 8 -a "nt=bits|$may"
check "tpm2_nvsetbits: two" tpm2_nvsetbits $i -C o -i 0x0000000000000101
check "tpm2_nvsetbits: one more" tpm2_nvsetbits $i -C o -i 0x8000000000000000
prints "tpm2_nvsetbits: all of them" '^8000000000000101$' value
refused "tpm2_nvincrement: not bits" '0x00000282|attributes' tpm2_nvincrement $i -C o

check "tpm2_nvdefine: an extended index" define -s 32 -a "nt=extend|$may"
check "tpm2_nvextend: a file" tpm2_nvextend $i -C o -i data
prints "tpm2_nvextend: as a PCR" "^$(sha256 $zeros "$(hex data)")$" bash -c "tpm2_nvread -C o $i | xxd -p -c 32"
refused "tpm2_nvextend: needs data" . tpm2_nvextend $i -C o -i /dev/null/none

# pinCount and pinLimit, four bytes each. Only the owner writes them.
check "tpm2_nvdefine: a PIN that fails" define -s 8 -p 1234 -a 'nt=pinfail|ownerread|ownerwrite|authread|no_da'
given bash -c "printf '\0\0\0\0\0\0\0\2' | tpm2_nvwrite $i -C o -i -"
prints "tpm2_nvread: with the PIN" '^0000000000000002$' bash -c "tpm2_nvread $i -P 1234 | xxd -p"
refused "tpm2_nvread: with a wrong PIN" 'authorization' tpm2_nvread $i -P 4321
prints "tpm2_nvread: it is counted" '^0000000100000002$' value
refused "tpm2_nvread: the last try" 'authorization' tpm2_nvread $i -P 4321
refused "tpm2_nvread: then not even the PIN" 'not available' tpm2_nvread $i -P 1234
check "tpm2_nvdefine: a PIN for so many times" define -s 8 -p 1234 -a 'nt=pinpass|ownerread|ownerwrite|authread|no_da'
given bash -c "printf '\0\0\0\0\0\0\0\1' | tpm2_nvwrite $i -C o -i -"
check "tpm2_nvread: once with the PIN" tpm2_nvread $i -P 1234
refused "tpm2_nvread: and no more" 'not available' tpm2_nvread $i -P 1234

given define -s 9 -a "read_stclear|write_stclear|$may"
given tpm2_nvwrite $i -C o -i data
check "tpm2_nvwritelock: until the next start" tpm2_nvwritelock $i -C o
refused "tpm2_nvwrite: not when it is locked" 'locked' tpm2_nvwrite $i -C o -i data
prints "tpm2_nvread: a locked one" '^some data$' tpm2_nvread $i -C o
check "tpm2_nvreadlock: until the next start" tpm2_nvreadlock $i -C o
refused "tpm2_nvread: not when it is locked" 'locked' tpm2_nvread $i -C o
prints "tpm2_nvreadlock: is an attribute" 'readlocked' tpm2_nvreadpublic $i
given define -s 9 -a "writedefine|$may"
given tpm2_nvwrite $i -C o -i data
check "tpm2_nvwritelock: for ever" tpm2_nvwritelock $i -C o
refused "tpm2_nvwrite: never again" 'locked' tpm2_nvwrite $i -C o -i data
given define -s 9 -a "globallock|$may"
given tpm2_nvwrite $i -C o -i data
check "tpm2_nvwritelock: all with the attribute" tpm2_nvwritelock --global -C o
refused "tpm2_nvwrite: not after the global lock" 'locked' tpm2_nvwrite $i -C o -i data
refused "tpm2_nvreadlock: not without the attribute" 'attributes' tpm2_nvreadlock $i -C o

# An index that only a policy can delete.
given trial delete.policy tpm2_policycommandcode TPM2_CC_NV_UndefineSpaceSpecial
check "tpm2_nvdefine: one that a policy deletes" tpm2_nvdefine 0x1500003 -C p -s 8 -a 'ppread|ppwrite|platformcreate|policydelete' -L delete.policy
refused "tpm2_nvundefine: not without the policy" . tpm2_nvundefine -C p 0x1500003
special() { policy_session && tpm2_policycommandcode -S s.ctx TPM2_CC_NV_UndefineSpaceSpecial && tpm2_nvundefine -C p -S s.ctx 0x1500003; }
check "tpm2_nvundefine: with the policy" special
refused "tpm2_nvreadpublic: it is gone" . tpm2_nvreadpublic 0x1500003
