package main

import (
	"context"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"time"
)

const (
	trimEvery = 10 * time.Second
	trimBusy  = 8 << 20 // bytes of free heap that are worth giving back
	trimCalm  = 2 << 20 // bytes of garbage and free heap, where the collector had nothing to do
)

// trimMemory gives memory back to the system that a burst has left behind: a car
// is silent most of the day, and the machine is often small. Go itself would keep
// it for the next burst, and leave the garbage of a quiet house lying for minutes
// (measured with ten cars: 45 MB resident half a minute after their first posts, 40
// MB with this).
func trimMemory(ctx context.Context) error {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	var before uint64
	for {
		select {
		case <-tick.C:
			h := readHeap()
			calm := h.cycles == before
			if h.free >= trimBusy || calm && h.free+h.garbage >= trimCalm {
				debug.FreeOSMemory()
			}
			before = h.cycles
		case <-ctx.Done():
			return nil
		}
	}
}

// heap is what the runtime says of its memory.
type heap struct {
	free    uint64 // bytes that could be given back
	garbage uint64 // bytes that came since the last collection, dead or not
	cycles  uint64 // collections so far
}

func readHeap() heap {
	s := []runtimemetrics.Sample{
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/gc/heap/live:bytes"},
		{Name: "/gc/cycles/total:gc-cycles"},
	}
	runtimemetrics.Read(s)
	free, objects, live := s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64()
	return heap{free: free, garbage: objects - min(objects, live), cycles: s[3].Value.Uint64()}
}
