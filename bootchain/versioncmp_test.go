package bootchain

import "testing"

// The examples of UAPI.10, Version Format Specification.
func TestCompareVersions(t *testing.T) {
	for _, test := range []struct {
		a    string
		want int
		b    string
	}{
		{"11", 0, "11"}, {"systemd-123", 0, "systemd-123"}, {"bar-123", -1, "foo-123"}, {"123a", 1, "123"},
		{"123.a", 1, "123"}, {"123.a", -1, "123.b"}, {"123a", 1, "123.a"}, {"11α", 0, "11β"}, {"A", -1, "a"},
		{"", -1, "0"}, {"0.", 1, "0"}, {"0.0", 1, "0"}, {"0", 1, "~"}, {"", 1, "~"}, {"1_", 0, "1"}, {"_1", 0, "1"},
		{"1_", -1, "1.2"}, {"1_2_3", 1, "1.3.3"}, {"1+", 0, "1"}, {"+1", 0, "1"}, {"1+", -1, "1.2"}, {"1+2+3", 1, "1.3.3"},
		{"6.1.0-54", -1, "6.1.0-56"}, {"6.1.0-9", -1, "6.1.0-10"}, {"123~rc1-1", -1, "123"},
	} {
		if got := compareVersions(test.a, test.b); got != test.want {
			t.Errorf("%q to %q is %d, want %d", test.a, test.b, got, test.want)
		}
		if got := compareVersions(test.b, test.a); got != -test.want {
			t.Errorf("%q to %q is %d, want %d", test.b, test.a, got, -test.want)
		}
	}
}

// The order of systemd-boot's menu, and which entry a pattern names.
func TestEntries(t *testing.T) {
	list := []blsEntry{ // in the order of the menu
		{id: "b.conf", sortKey: "debian", version: "6.1.0-56", left: -1},
		{id: "a.conf", sortKey: "debian", version: "6.1.0-54", left: -1},
		{id: "z.conf", sortKey: "fedora", version: "1", left: 3},
		{id: "linux-10.conf", left: -1},
		{id: "linux-9.conf", left: -1},
		{id: "c.conf", sortKey: "debian", version: "6.1.0-57", left: 0},
	}
	for i := range list {
		for k := range list {
			if c := compareEntries(list[i], list[k]); c < 0 != (i < k) || c > 0 != (i > k) {
				t.Errorf("%s to %s is %d", list[i].id, list[k].id, c)
			}
		}
	}
	for _, test := range []struct {
		name, id   string
		left, done int
	}{
		{"Debian.conf", "debian.conf", -1, 0}, {"debian+3.conf", "debian.conf", 3, 0}, {"debian+2-1.conf", "debian.conf", 2, 1},
		{"a+b.conf", "a+b.conf", -1, 0},
	} {
		if id, left, done := splitCounters(test.name); id != test.id || left != test.left || done != test.done {
			t.Errorf("%s is %s with %d and %d", test.name, id, left, done)
		}
	}
	for pattern, want := range map[string]bool{"debian-54*": true, "DEBIAN-54.CONF": true, "debian-54": true, "debian-5": false} {
		if got := matchEntry(pattern, "debian-54.conf"); got != want {
			t.Errorf("%s matches: %t", pattern, got)
		}
	}
}
