package mqtt

import (
	"testing"
	"testing/synctest"
	"time"
)

// attempts lets a backoff try until the time is over.
func attempts(b *backoff, d time.Duration, try func(*backoff)) int {
	n := 0
	for end := time.Now().Add(d); ; n++ {
		<-time.After(b.wait(0)) // fake time
		if time.Now().After(end) {
			return n
		}
		try(b)
	}
}

func TestBackoff(t *testing.T) {
	hangsUp := func(b *backoff) { b.up(); b.down() }
	away := func(b *backoff) { b.failed(false) }
	refuses := func(b *backoff) { b.failed(true) }
	for name, c := range map[string]struct {
		try      func(*backoff)
		within   time.Duration
		min, max int
	}{
		"accepts, then hangs up": {hangsUp, 10 * time.Second, 4, 6},
		"broker away":            {away, 10 * time.Second, 4, 6},
		"away for an hour":       {away, time.Hour, 180, 230},
		"refused":                {refuses, 5 * time.Minute, 8, 11},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &backoff{}
				if n := attempts(b, c.within, c.try); n < c.min || n > c.max {
					t.Errorf("%d attempts in %v", n, c.within)
				}
			})
		})
	}
}

// TestBackoffRecovers: while the broker may be restarting, no wait is so long
// that everything would not be back in five seconds.
func TestBackoffRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backoff{}
		for start := time.Now(); time.Since(start) < quickFor; b.failed(false) {
			d := b.wait(0)
			if d > 3200*time.Millisecond {
				t.Fatalf("waits %v", d)
			}
			<-time.After(d + time.Millisecond)
		}
		b.up()
		<-time.After(stable)
		b.down()
		if d := b.wait(0); d != 0 {
			t.Errorf("after a good connection it waits %v", d)
		}
	})
}
