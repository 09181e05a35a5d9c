package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
)

func openRetained(t testing.TB, path string) *store.Retained {
	t.Helper()
	r, err := store.OpenRetained(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func load(t *testing.T, r *store.Retained) map[string]string {
	t.Helper()
	messages, err := r.Load()
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for topic, message := range messages {
		texts[topic] = string(message)
	}
	return texts
}

func TestRetained(t *testing.T) {
	path := filepath.Join(t.TempDir(), "retained.db")
	r := openRetained(t, path)
	for _, m := range []struct {
		topic string
		data  []byte
	}{
		{"a", []byte("1")}, {"b", []byte{0, 255}}, {"a", []byte("2")}, {"c", []byte("3")},
		{"c", nil}, {"nothing", nil}, {"empty", []byte{}},
	} {
		if err := r.Keep(m.topic, m.data); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{"a": "2", "b": "\x00\xff", "empty": ""}
	equal(t, "messages", want, load(t, r))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Keep("a", nil); err == nil {
		t.Error("Keep after Close is fine")
	}
	equal(t, "after a restart", want, load(t, openRetained(t, path)))
}

// TestRetainedTogether has many callers at once: the last message of each is
// there, and the log has far fewer frames than there were calls.
func TestRetainedTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "retained.db")
	r := openRetained(t, path)
	const callers, calls = 50, 20
	want := map[string]string{}
	var callersDone sync.WaitGroup
	for i := range callers {
		topic := fmt.Sprint("topic/", i)
		want[topic] = fmt.Sprint(calls - 1)
		callersDone.Go(func() {
			for n := range calls {
				if err := r.Keep(topic, fmt.Append(nil, n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	callersDone.Wait()
	equal(t, "messages", want, load(t, r))
	log, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if frames := log.Size() / 4096; frames > callers*calls/2 {
		t.Errorf("%d frames for %d calls", frames, callers*calls)
	}
}

func BenchmarkRetainedAlone(b *testing.B) {
	r := openRetained(b, filepath.Join(b.TempDir(), "retained.db"))
	for i := 0; b.Loop(); i++ {
		if err := r.Keep(fmt.Sprint("topic/", i%200), fmt.Append(nil, i)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRetainedTogether(b *testing.B) {
	r := openRetained(b, filepath.Join(b.TempDir(), "retained.db"))
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if err := r.Keep(fmt.Sprint("topic/", i%200), fmt.Append(nil, i)); err != nil {
				b.Error(err)
			}
		}
	})
}
