# Contexts: what a tool saves for the next one, and makes room for.
. "$LIB"

given tpm2_createprimary -C o -G ecc -c srk.ctx
printf 'a secret' >secret
check "tpm2_create: a context of a sealed object" tpm2_create -C srk.ctx -i secret -u x.pub -r x.priv -c sealed.ctx
for _ in 1 2 3; do check "tpm2_unseal: a context as often as one likes" tpm2_unseal -c sealed.ctx; done
tampered() { cp sealed.ctx bad.ctx && printf '\377' | dd of=bad.ctx bs=1 seek=100 conv=notrunc status=none && tpm2_unseal -c bad.ctx; }
refused "tpm2_unseal: not one that was changed" 'integrity|value|size' tampered
prints "tpm2_print: a context" 'savedHandle|handle|sequence' bash -c 'tpm2_print -t TPMS_CONTEXT sealed.ctx'

if over_broker; then
  for c in "objects" "their handles" "one object" "what is loaded"; do
    skip "tpm2_flushcontext: $c" "tpm2-abrmd flushes a connection's objects when it ends"
  done
else
  loaded() { [ "$(tpm2_getcap handles-transient | wc -l)" = "$1" ]; }
  command tpm2_createprimary -Q -C n -G ecc >&2
  command tpm2_createprimary -Q -C n -G ecc >&2
  check "tpm2_getcap: two objects are loaded" bash -c '[ "$(tpm2_getcap handles-transient | wc -l)" = 2 ]'
  command tpm2_createprimary -Q -C n -G ecc >&2
  command tpm2_flushcontext 0x80000000 2>/dev/null
  check "tpm2_flushcontext: one object" bash -c 'tpm2_getcap handles-transient | grep 0x80000001 && ! tpm2_getcap handles-transient | grep 0x80000000'
  check "tpm2_flushcontext: objects" tpm2_flushcontext -t
  prints "tpm2_flushcontext: none is left" '^$' tpm2_getcap handles-transient
  refused "tpm2_flushcontext: what is not there" 'handle|parameter' tpm2_flushcontext 0x80000000
fi

check "tpm2_startauthsession: a saved session" tpm2_startauthsession --policy-session -S a.ctx
check "tpm2_flushcontext: the session" tpm2_flushcontext a.ctx
refused "tpm2_flushcontext: not twice" . tpm2_flushcontext a.ctx
check "tpm2_flushcontext: loaded sessions" tpm2_flushcontext -l
many() { # saved sessions need no slots, and can be used in any order
  for n in "$@"; do tpm2_startauthsession -Q --policy-session -S "$n.ctx"; done
  for n in 4 2 3 1 "${@:5}"; do tpm2_policyauthvalue -Q -S "$n.ctx"; done
  for n in "$@"; do tpm2_flushcontext "$n.ctx"; done
}
if over_broker; then # it keeps four sessions of connections that have ended
  check "tpm2_startauthsession: four, saved" many 1 2 3 4
else
  check "tpm2_startauthsession: more than there are slots for" many {1..40}
fi
stale() { # the context of a session can be loaded once
  tpm2_startauthsession -Q --policy-session -S a.ctx
  cp a.ctx old.ctx
  tpm2_policyauthvalue -Q -S a.ctx
  tpm2_policyauthvalue -Q -S old.ctx
}
if over_broker; then
  skip "tpm2_policyauthvalue: an old context of a session" "tpm2-abrmd loads the newest in its place"
else
  refused "tpm2_policyauthvalue: an old context of a session" 'handle|value' stale
fi
