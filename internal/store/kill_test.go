package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
)

// childDir tells the test program to be the child of the kill tests: it writes
// to the databases in that directory until it is killed.
const childDir = "WHEELHOUSE_STORE_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Println(writeForEver(context.Background(), dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// batchSize is how many points the child's batch n has.
func batchSize(n int) int { return 1 + n*37%400 }

// batchPoints are the points of batch n, which can be told from all others.
func batchPoints(n int) []car.Point {
	points := manyPoints(base+int64(n)*1000_000, batchSize(n))
	for i := range points {
		points[i].Energy = float64(n)
	}
	return points
}

// writeForEver writes batch after batch, from where it ended before, and says
// the number of each that was acknowledged.
func writeForEver(ctx context.Context, dir string) error {
	s, err := store.Open(ctx, filepath.Join(dir, "wheelhouse.db"))
	if err != nil {
		return err
	}
	r, err := store.OpenRetained(ctx, filepath.Join(dir, "retained.db"))
	if err != nil {
		return err
	}
	first := 0
	for p, err := range s.Read(ctx).PointsBackwards(blue, 1<<62) {
		if first = int((p.At-base)/1000_000) + 1; err != nil {
			return err
		}
		break
	}
	if first > 0 { // the message of the last batch may not have been kept yet
		if err := keepNumber(r, first-1); err != nil {
			return err
		}
	}
	for n := first; ; n++ {
		err := s.Write(ctx, func(tx *store.Tx) error {
			received := noon.AddDate(10, 0, 0)
			return errors.Join(tx.MakeCar(blue, noon),
				second(tx.PutPoints(blue, received, batchPoints(n))))
		})
		if err := errors.Join(err, keepNumber(r, n)); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// keepNumber keeps a batch's number under one of five topics.
func keepNumber(r *store.Retained, n int) error {
	return r.Keep(fmt.Sprint("t", n%5), fmt.Append(nil, n))
}

// TestKill kills a writing program 20 times: what it acknowledged is there, no
// batch is there in part, and the totals fit the points.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	for range 20 {
		acked := killedChild(t, dir, 1+rand.IntN(30))
		s := openAt(t, filepath.Join(dir, "wheelhouse.db"))
		checkBatches(t, s, acked)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		checkRetained(t, filepath.Join(dir, "retained.db"), acked)
	}
}

// killedChild lets the child acknowledge some batches, kills it, and returns
// the last one it acknowledged.
func killedChild(t *testing.T, dir string, batches int) (acked int) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), childDir+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	lines := bufio.NewScanner(out)
	for i := 0; lines.Scan(); i++ {
		if acked, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatalf("the child failed: %s", lines.Text())
		}
		if i == batches {
			_ = child.Process.Kill() // and read what it still said
		}
	}
	return acked
}

func checkBatches(t *testing.T, s *store.Store, acked int) {
	t.Helper()
	sizes, count, last := map[int]int{}, 0, 0
	for _, p := range allPoints(t, s, blue) {
		last = int(p.Energy)
		sizes[last]++
		count++
	}
	if last != acked && last != acked+1 {
		t.Errorf("last batch stored %d, last acknowledged %d", last, acked)
	}
	for n := range last + 1 {
		if sizes[n] != batchSize(n) {
			t.Errorf("batch %d has %d of %d points", n, sizes[n], batchSize(n))
		}
	}
	equal(t, "distance", int64(count)*100_000, oneCar(t, s, blue).DistanceMM)
}

func checkRetained(t *testing.T, path string, acked int) {
	t.Helper()
	r, err := store.OpenRetained(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	messages, err := r.Load()
	if err != nil {
		t.Fatal(err)
	}
	for n := max(0, acked-4); n <= acked; n++ {
		got, err := strconv.Atoi(string(messages[fmt.Sprint("t", n%5)]))
		if err != nil || got != n && got != n+5 {
			t.Errorf("topic t%d holds %d, acknowledged %d (%v)", n%5, got, n, err)
		}
	}
}
