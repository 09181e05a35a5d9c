package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
)

var killRounds = flag.Int("kill.rounds", 3, "how often TestKill kills the program")

// readyAgain is how soon after a power cut the program must serve again.
const readyAgain = time.Second

// TestKill kills the program at a random moment while one car uploads its
// database and another posts ticks. Whatever was answered 200 must be there
// afterwards, and no topic may be older than the last report answered.
func TestKill(t *testing.T) {
	state := t.TempDir()
	house := serve(t, "wheelhouse", state)
	ticks := newFleet(1, 4000, recently())
	points := newUploader()
	for round := range *killRounds {
		ctx, cancel := context.WithCancel(t.Context())
		var posting, begun sync.WaitGroup
		begun.Add(2)
		posting.Go(func() { points.upload(ctx, house.webhook, sync.OnceFunc(begun.Done)) })
		posting.Go(func() { ticks.untilRefused(house.webhook, sync.OnceFunc(begun.Done)) })
		begun.Wait() // or the program might be killed before it did anything
		<-time.After(time.Duration(rand.IntN(400)) * time.Millisecond)
		house.kill()
		cancel()
		posting.Wait()

		house = serve(t, "wheelhouse", state)
		if house.began > readyAgain {
			t.Errorf("round %d: ready again after %v", round, house.began)
		}
		checkStored(t, state, "uploader", points.acknowledged)
		checkStored(t, state, ticks.cars[0], ticks.acknowledged())
		checkTopics(t, house.broker, ticks)
		if t.Failed() {
			t.Fatalf("round %d of %d", round+1, *killRounds)
		}
	}
	if len(points.acknowledged) == 0 || ticks.sent[0] == 0 {
		t.Error("nothing was acknowledged: the test shows nothing")
	}
}

// uploader is a history on its way to the program, in pieces as large as a car's.
type uploader struct {
	release      sim.Release
	pieces       [][]car.Point
	next         int
	acknowledged []car.Point
}

func newUploader() *uploader {
	release, err := sim.ReleaseOf(sim.Newest)
	if err != nil {
		panic(err)
	}
	p := &uploader{release: release}
	var piece []car.Point
	for point := range (sim.History{Days: 1095, Start: longAgo}).Points() {
		if piece = append(piece, point); len(piece) == 250 {
			p.pieces, piece = append(p.pieces, piece), nil
		}
	}
	return p
}

// upload posts pieces until the program is no more, and calls begun when the
// first is answered. A piece that was not is posted again in the next round.
func (p *uploader) upload(ctx context.Context, webhook string, begun func()) {
	defer begun()
	l, err := connect(webhook)
	if err != nil {
		return
	}
	defer l.Close()
	for ; ctx.Err() == nil && p.next < len(p.pieces); p.next++ {
		_, state := tickState(0, time.Now().UnixMilli())
		piece := p.pieces[p.next]
		if l.post(request("uploader", p.release.PointsBody(nil, state, piece))) != nil {
			return
		}
		p.acknowledged = append(p.acknowledged, piece...)
		begun()
	}
}

// untilRefused lets the first car post until the program is no more.
func (f *fleet) untilRefused(webhook string, begun func()) {
	defer begun()
	l, err := connect(webhook)
	if err != nil {
		return
	}
	defer l.Close()
	for f.sent[0] < len(f.posts[0]) && l.post(f.posts[0][f.sent[0]]) == nil {
		f.sent[0]++
		begun()
	}
}

// acknowledged are the points of the first car's answered ticks.
func (f *fleet) acknowledged() (points []car.Point) {
	first := f.end.Add(-time.Duration(len(f.posts[0])) * tickSpacing)
	for i := range f.sent[0] {
		points = append(points, car.Point{At: first.Add(time.Duration(i) * tickSpacing).UnixMilli()})
	}
	return points
}

func checkStored(t *testing.T, state string, id car.ID, acknowledged []car.Point) {
	t.Helper()
	db, err := store.OpenReadOnly(t.Context(), filepath.Join(state, "wheelhouse.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	stored := map[int64]bool{}
	for p, err := range db.Read(t.Context()).Points(id, 0, 1<<62) {
		if err != nil {
			t.Fatal(err)
		}
		stored[p.At] = true
	}
	missing := 0
	for _, p := range acknowledged {
		if !stored[p.At] {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("%s: %d points of %d that were acknowledged are missing", id, missing, len(acknowledged))
	}
}

// checkTopics waits until the topics show the last tick that was answered, or
// the one after it, which may have been stored without an answer.
func checkTopics(t *testing.T, broker string, f *fleet) {
	t.Helper()
	if f.sent[0] == 0 {
		return
	}
	s := subscribe(t, broker, "wheelhouse/"+string(f.cars[0])+"/#")
	defer s.Close()
	last, unanswered := tickValues(f.sent[0]-1), tickValues(f.sent[0])
	until(t, 5*time.Second, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		for k, key := range tickKeys {
			heard := s.topics["wheelhouse/"+string(f.cars[0])+"/"+key]
			if heard == nil || heard.payload != last[k] && heard.payload != unanswered[k] {
				return fmt.Errorf("%s: %v, want %q or %q", key, heard, last[k], unanswered[k])
			}
		}
		return nil
	})
}
