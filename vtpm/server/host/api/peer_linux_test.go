package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/bootseal/bootseal/vtpm/server/host/api"
)

// strangerVariable makes the test binary a client of another user: SOCKET UID GID.
const strangerVariable = "BOOTSEAL_API_TEST_STRANGER"

func TestMain(m *testing.M) {
	if args := strings.Fields(os.Getenv(strangerVariable)); len(args) == 3 {
		os.Exit(stranger(args[0], args[1], args[2]))
	}
	os.Exit(m.Run())
}

// stranger lists the instances as the user with the supplementary group, and prints what
// comes of it.
func stranger(socket, user, group string) int {
	uid, err := strconv.Atoi(user)
	if err != nil {
		panic(err)
	}
	gid, err := strconv.Atoi(group)
	if err != nil {
		panic(err)
	}
	if err := errors.Join(syscall.Setgroups([]int{gid}), syscall.Setgid(65534), syscall.Setuid(uid)); err != nil {
		panic(err)
	}
	_, err = api.NewClient(socket).List(context.Background())
	switch {
	case err == nil:
		fmt.Print("served")
	case errors.Is(err, api.ErrForbidden):
		fmt.Print("refused: ", err)
	default:
		fmt.Print(err)
	}
	return 0
}

// The kernel says who is at the other end, and only those who were named are served.
func TestPeers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be other users")
	}
	d := serve(t, api.Options{Users: []uint32{60001}, Groups: []uint32{60100}})
	for _, c := range []struct{ user, group, want string }{
		{"60001", "60200", "served"},
		{"60002", "60100", "served"},
		{"60002", "60200", "refused: user 60002 may not manage this host's vTPMs"},
		{"60100", "60001", "refused: user 60100 may not manage this host's vTPMs"}, // a user is no group
	} {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s", strangerVariable, d.socket, c.user, c.group))
		out, err := child.CombinedOutput()
		if err != nil || string(out) != c.want {
			t.Errorf("user %s, group %s: %s, %v", c.user, c.group, out, err)
		}
	}
	if r := d.reported(t, http.StatusForbidden); r.Peer.UID != 60002 || r.Peer.PID == 0 || r.Err == nil || r.Path != "" {
		t.Errorf("reported: %+v", r)
	}
}
