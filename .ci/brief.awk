# Of what "go test -v" prints: a line a package as without -v, all of a package that failed, and at the
# end each test that was skipped, with the last that it said.
{ said = said $0 "\n" }
/^=== / { test = $3 }
/\.go:[0-9]+: / { reason[test] = $0 }
/^ *--- SKIP/ {
  sub(/^ +/, "", reason[$3])
  skipped = skipped $3 ": " reason[$3] "\n"
}
/^(ok|FAIL|\?) *\t/ {
  if ($1 == "FAIL") printf "%s", said
  else print
  said = ""
  split("", reason)
  fflush()
}
END {
  if (said !~ /^(FAIL\n)?$/) printf "%s", said # it ended in the middle of a package
  printf "\nskipped:\n%s", skipped == "" ? "none\n" : skipped
}
