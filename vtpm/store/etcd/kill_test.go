package etcd_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/bootseal/bootseal/internal/etcdtest"
	"github.com/bootseal/bootseal/internal/killtest"
	"github.com/bootseal/bootseal/vtpm/store/etcd"
)

// childVariable makes the test binary a process that counts in a state in the etcd that it
// names.
const childVariable = "BOOTSEAL_ETCD_TEST_ENDPOINT"

func TestMain(m *testing.M) {
	if endpoint := os.Getenv(childVariable); endpoint != "" {
		fmt.Fprintln(os.Stderr, countForever(endpoint))
		os.Exit(1)
	}
	flag.Parse()
	if err := manyAtOnce(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// manyAtOnce runs more tests at a time than there are processors, unless -parallel says how
// many: they wait for leases and elections, and compute little.
func manyAtOnce() error {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return nil
	}
	return flag.Set("test.parallel", "8")
}

// countForever counts in a record, and says each number that was acknowledged.
func countForever(endpoint string) error {
	c, err := etcd.Dial(etcd.Config{Endpoints: []string{endpoint}, Prefix: "kill", TTL: 2 * time.Second, Wait: 20 * time.Second})
	if err != nil {
		return err
	}
	s, err := c.Open(context.Background(), "vm0", testKey)
	if err != nil {
		return err
	}
	records, err := s.Load()
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(records["n"]))
	if err != nil && len(records) > 0 {
		return err
	}
	for {
		n++
		if err := s.Commit(map[string][]byte{"n": []byte(strconv.Itoa(n))}); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// TestKill kills the owner, as the death of its host does, again and again. The next one
// gets the state when the lease has run out, with what was acknowledged, or one change more.
func TestKill(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for leases to run out")
	}
	e := etcdtest.Start(t)
	r := rand.New(rand.NewPCG(5, 5))
	last := 0
	for round := range 5 {
		first, said := killtest.Count(t, childVariable+"="+e.Endpoint, time.Duration(r.IntN(400))*time.Millisecond)
		if first != last+1 && first != last+2 {
			t.Fatalf("round %d: it goes on with %d after %d", round, first, last)
		}
		last = said
	}
	t.Logf("5 kills, %d changes", last)
}
