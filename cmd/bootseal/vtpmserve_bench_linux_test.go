package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm/server/host"
)

// BenchmarkThousandVTPMs measures a daemon of 1,000 vTPMs, each with a P-256 endorsement
// key, its certificate and a platform certificate, in a process of its own:
//
//	create-ms       to make one, start it and have it answered, one after the other
//	restart-s       from the start of the process until all 1,000 run
//	…-cpu-…         processor time of the daemon for that, which other processes change less
//	answered-s      until each has been switched on over its control channel, started
//	                up, and has answered a command
//	idle-KiB        resident memory for each, running and waiting for its VM
//	on-KiB          the same when it is on, with both of a VM's connections open
//	daemon-MB       resident memory of the whole process then
//
// go test -run '^$' -bench Thousand -benchtime 1x ./cmd/bootseal
func BenchmarkThousandVTPMs(b *testing.B) {
	const count = 1000
	for range b.N {
		dir, err := os.MkdirTemp("", "vtpms")
		if err != nil {
			b.Fatal(err)
		}
		defer os.RemoveAll(dir)
		d := startDaemon(b, dir)
		empty := d.resident(b)
		begin := time.Now()
		var last []time.Duration
		for n := range count {
			one := time.Now()
			if _, err := d.api.Create(b.Context(), instanceName(n), host.Spec{Layout: "swtpm:secp256r1", Start: true}); err != nil {
				b.Fatal(err)
			}
			last = append(last, time.Since(one))
		}
		b.ReportMetric(float64(time.Since(begin).Milliseconds())/count, "create-ms")
		b.ReportMetric(float64(d.cpu(b).Milliseconds())/count, "create-cpu-ms")
		b.Logf("create: slowest %v", slowest(last))
		d.stop(b)

		begin = time.Now()
		d = startDaemon(b, dir)
		b.ReportMetric(time.Since(begin).Seconds(), "restart-s")
		b.ReportMetric(d.cpu(b).Seconds(), "restart-cpu-s")
		time.Sleep(2 * time.Second) // garbage of the start is given back
		b.ReportMetric(float64(d.resident(b)-empty)/count/1024, "idle-KiB")

		begin = time.Now()
		took := make([]time.Duration, count)
		var wg sync.WaitGroup
		work := make(chan int)
		for range 8 {
			wg.Go(func() {
				for n := range work {
					one := time.Now()
					if err := d.switchOn(filepath.Join(dir, "d", instanceName(n))); err != nil {
						b.Error(err)
					}
					took[n] = time.Since(one)
				}
			})
		}
		for n := range count {
			work <- n
		}
		close(work)
		wg.Wait()
		b.ReportMetric(time.Since(begin).Seconds(), "answered-s")
		b.Logf("switch on: slowest %v", slowest(took))
		time.Sleep(2 * time.Second)
		b.ReportMetric(float64(d.resident(b)-empty)/count/1024, "on-KiB")
		b.ReportMetric(float64(d.resident(b))/1e6, "daemon-MB")
		d.stop(b)
	}
	b.ReportMetric(0, "ns/op")
}

func instanceName(n int) string { return fmt.Sprintf("vm%04d", n) }

func slowest(list []time.Duration) (most time.Duration) {
	for _, d := range list {
		most = max(most, d)
	}
	return most
}

// resident returns the process's resident memory, in bytes.
func (d *daemonProcess) resident(b *testing.B) int {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.Process.Pid))
	if err != nil {
		b.Skip("resident memory is read from /proc")
	}
	_, rest, _ := bytes.Cut(status, []byte("VmRSS:"))
	kib, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
	if err != nil {
		b.Fatal(err)
	}
	return kib << 10
}

// cpu returns how much processor time the process has used (proc_pid_stat(5): utime, stime),
// in steps of 10 ms.
func (d *daemonProcess) cpu(b *testing.B) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')'):])
	ticks := 0
	for _, f := range fields[12:14] {
		n, err := strconv.Atoi(string(f))
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// switchOn does what a VM does: INIT on the control channel, TPM2_Startup and another
// command on the data channel. The connections stay open.
func (d *daemonProcess) switchOn(dir string) error {
	for _, step := range []struct {
		socket   string
		messages [][]byte
	}{
		{"sock.ctrl", [][]byte{{0, 0, 0, 2, 0, 0, 0, 0}}},
		{"sock", [][]byte{{0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0}, {0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7B, 0, 8}}},
	} {
		conn, err := net.Dial("unix", filepath.Join(dir, step.socket))
		if err != nil {
			return err
		}
		d.mu.Lock()
		d.clients = append(d.clients, conn)
		d.mu.Unlock()
		for _, m := range step.messages {
			if err := ask(conn, m); err != nil {
				return fmt.Errorf("%s: %w", dir, err)
			}
		}
	}
	return nil
}

// ask sends a message and reads its answer, whose result is to be success.
func ask(conn net.Conn, message []byte) error {
	if _, err := conn.Write(message); err != nil {
		return err
	}
	buf := make([]byte, 64)
	n, err := conn.Read(buf)
	if err != nil {
		return err
	}
	if code := binary.BigEndian.Uint32(buf[max(n, 4)-4:]); n == 4 && code != 0 || n == 10 && code != 0 {
		return fmt.Errorf("answer %x", buf[:n])
	}
	return nil
}
