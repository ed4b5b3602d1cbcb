package eventlog

// pair is a position in each of two sequences; -1 where there is none.
type pair struct{ a, b int }

// maxCells bounds the table of the longest common subsequence. Real logs have a
// few hundred events in a PCR; hostile ones get a plainer alignment.
const maxCells = 1 << 22

// align returns pairs that are the longest common subsequence of two sequences,
// in ascending order. Sequences too long for that are aligned at both ends only.
func align(n, m int, equal func(i, j int) bool) []pair {
	var pairs []pair
	start := 0
	for start < n && start < m && equal(start, start) {
		pairs = append(pairs, pair{start, start})
		start++
	}
	tail := 0
	for n-tail > start && m-tail > start && equal(n-tail-1, m-tail-1) {
		tail++
	}
	pairs = append(pairs, common(start, n-tail, start, m-tail, equal)...)
	for ; tail > 0; tail-- {
		pairs = append(pairs, pair{n - tail, m - tail})
	}
	return pairs
}

// common is the longest common subsequence of a[a0:a1] and b[b0:b1].
func common(a0, a1, b0, b1 int, equal func(i, j int) bool) []pair {
	n, m := a1-a0, b1-b0
	if n == 0 || m == 0 || n > maxCells/m {
		return nil
	}
	// length[i*(m+1)+j] is the length for the sequences from i and j on.
	length := make([]int32, (n+1)*(m+1))
	at := func(i, j int) *int32 { return &length[i*(m+1)+j] }
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if equal(a0+i, b0+j) {
				*at(i, j) = *at(i+1, j+1) + 1
			} else {
				*at(i, j) = max(*at(i+1, j), *at(i, j+1))
			}
		}
	}
	var pairs []pair
	for i, j := 0, 0; i < n && j < m; {
		switch {
		case equal(a0+i, b0+j):
			pairs = append(pairs, pair{a0 + i, b0 + j})
			i, j = i+1, j+1
		case *at(i+1, j) >= *at(i, j+1):
			i++
		default:
			j++
		}
	}
	return pairs
}

// match pairs what is left of two sequences by key, first with first, and
// returns the pairs and what is still left. An empty key matches nothing.
func match(as, bs []int, keyA, keyB func(i int) string) (pairs []pair, restA, restB []int) {
	waiting := make(map[string][]int)
	for _, j := range bs {
		if k := keyB(j); k != "" {
			waiting[k] = append(waiting[k], j)
		}
	}
	taken := make(map[int]bool)
	for _, i := range as {
		k := keyA(i)
		if q := waiting[k]; k != "" && len(q) > 0 {
			pairs = append(pairs, pair{i, q[0]})
			taken[q[0]] = true
			waiting[k] = q[1:]
			continue
		}
		restA = append(restA, i)
	}
	for _, j := range bs {
		if !taken[j] {
			restB = append(restB, j)
		}
	}
	return pairs, restA, restB
}
