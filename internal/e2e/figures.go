//go:build homeassistant

package e2e

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// figures are what scenarios measured and how they ended.
type figures struct {
	mu    sync.Mutex
	lines []string
	bars  []string
}

// ended notes the end of a scenario.
func (f *figures) ended(name, sentence, verdict string, took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lines = append(f.lines, fmt.Sprintf("%-8s %6.1f s  %-42s %s", verdict, took.Seconds(), name, sentence))
}

// measured notes a figure beside its bar.
func (f *figures) measured(name, what string, is, bar any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bars = append(f.bars, fmt.Sprintf("%-42s %s: %v (bar: %v)", name, what, is, bar))
}

func (f *figures) print(w io.Writer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, line := range append(f.lines, f.bars...) {
		fmt.Fprintln(w, line)
	}
}

// within fails the scenario if something took longer than it may.
func (h *house) within(what string, is, bar time.Duration) {
	h.Helper()
	h.figures.measured(h.Name(), what, is.Round(time.Millisecond), bar)
	if is > bar {
		h.Errorf("%s: %v, want at most %v", what, is, bar)
	}
}
