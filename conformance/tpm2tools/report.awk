# Turns the scripts' lines ("ok TOOL: CHECK", "not ok TOOL: CHECK # DETAIL",
# "skip TOOL: CHECK # REASON") into one line a tool, its failures, and the counts.

{
	outcome = "pass"
	if (sub(/^not ok /, "")) outcome = "FAIL"
	else if (sub(/^skip /, "")) outcome = "skip"
	else sub(/^ok /, "")
	tool = $0
	sub(/:.*/, "", tool)
	lines[tool] = lines[tool] (outcome != "pass" || format == "verbose" ? sprintf("        %s  %s\n", outcome, substr($0, length(tool) + 3)) : "")
	if (outcome == "skip") {
		reason[tool] = $0
		sub(/.* # /, "", reason[tool])
	}
	count[tool, outcome]++
	checks[outcome]++
	seen[tool] = 1
}

END {
	n = 0
	for (tool in seen) names[++n] = tool
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && names[j] < names[j - 1]; j--) {
			tool = names[j]; names[j] = names[j - 1]; names[j - 1] = tool
		}
	for (i = 1; i <= n; i++) {
		tool = names[i]
		pass = count[tool, "pass"] + 0; fail = count[tool, "FAIL"] + 0; skip = count[tool, "skip"] + 0
		state = fail ? "FAIL" : pass ? "pass" : "skip"
		tools[state]++
		detail = state == "skip" ? reason[tool] : (pass + fail == 1 ? "1 check" : (pass + fail) " checks")
		if (fail) detail = detail ", " fail " failed"
		if (skip && state != "skip") detail = detail ", " skip " skipped"
		printf "%s  %-28s %s\n", state, tool, detail
		if (state != "skip" || format == "verbose") printf "%s", lines[tool]
	}
	printf "%d tools: %d pass, %d FAIL, %d skip\n", n, tools["pass"], tools["FAIL"], tools["skip"]
	printf "%d checks: %d pass, %d FAIL, %d skip\n", checks["pass"] + checks["FAIL"] + checks["skip"], checks["pass"], checks["FAIL"], checks["skip"]
}
