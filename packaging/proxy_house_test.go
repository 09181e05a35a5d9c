//go:build proxies

package packaging_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

const proxyPassword = "car-password"

// buildProgram makes the program's binary.
func buildProgram(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "wheelhouse")
	out, err := exec.Command("go", "build", "-o", binary, "../cmd/wheelhouse").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// proxyHouse is the real program, behind a proxy.
type proxyHouse struct{ webhook, ops string }

// startProxyHouse runs the program until the test ends.
func startProxyHouse(t *testing.T, binary string) *proxyHouse {
	t.Helper()
	c := exec.Command(binary)
	c.Env = append(os.Environ(),
		"WHEELHOUSE_STATE_DIR="+t.TempDir(), "WHEELHOUSE_CARSTATS__PASSWORD="+proxyPassword,
		"WHEELHOUSE_HTTP__LISTEN=127.0.0.1:0", "WHEELHOUSE_OPS__LISTEN=127.0.0.1:0",
		"WHEELHOUSE_BROKER__LISTEN=127.0.0.1:0")
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	launch(t, c)
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		var line struct{ Message, Webhook, Ops string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Webhook != "" {
			go func() { _, _ = io.Copy(t.Output(), stderr) }()
			return &proxyHouse{line.Webhook, line.Ops}
		}
		t.Log(lines.Text())
	}
	t.Fatal("the program does not start")
	return nil
}

// metric is what the program says of itself.
func (h *proxyHouse) metric(t *testing.T, name string) int {
	t.Helper()
	a, err := http.Get("http://" + h.ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	for lines := bufio.NewScanner(a.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return int(n)
		}
	}
	return 0
}

// records are how many records are stored.
func (h *proxyHouse) records(t *testing.T) int {
	t.Helper()
	return h.metric(t, `wheelhouse_records_total{result="new"}`)
}

// posts are how many requests got an answer.
func (h *proxyHouse) posts(t *testing.T, status string) int {
	t.Helper()
	return h.metric(t, `wheelhouse_webhook_posts_total{status="`+status+`"}`)
}

// took says what is wrong if not so many records are new.
func (h *proxyHouse) took(t *testing.T, before, fresh int) {
	t.Helper()
	if n := h.records(t) - before; n != fresh {
		t.Errorf("%d records are new, want %d", n, fresh)
	}
}

// eventually asks again and again, for what nobody tells.
func (*proxyHouse) eventually(t *testing.T, what string, good func() bool) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for late := time.After(45 * time.Second); !good(); {
		select {
		case <-again.C:
		case <-late:
			t.Error("waited in vain: ", what)
			return
		}
	}
}

// recordsOf is how many records a release uploads of a history. Two points of one
// curve at the same moment are one.
func recordsOf(r sim.Release, h sim.History) (n int) {
	for range h.Points() {
		n++
	}
	for s := range h.ChargingSessions() {
		n++
		if strings.HasPrefix(r.Version, inOne) {
			continue // has no curves
		}
		moments := make(map[int64]bool)
		for _, p := range s.Curve {
			moments[p.At] = true
		}
		n += len(moments)
	}
	return n
}
