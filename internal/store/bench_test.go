package store_test

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
)

// trip is n points as a driving car reports them.
func trip(n int) []car.Point {
	points := manyPoints(base, n)
	for i := range points {
		x := float64(i)
		points[i].Distance = 100 + math.Mod(x*0.37, 2)
		points[i].Lat, points[i].Lon, points[i].Alt = 54+x/1e4, 7+x/1e4, math.Mod(x, 50)
	}
	return points
}

func put(b testing.TB, s *store.Store, points []car.Point) {
	write(b, s, func(tx *store.Tx) error {
		return second(tx.PutPoints(blue, noon.AddDate(1, 0, 0), points))
	})
}

func perPoint(b *testing.B, points int) {
	b.ReportMetric(float64(points)/b.Elapsed().Seconds(), "points/s")
}

func BenchmarkInsert1000(b *testing.B) {
	s := openEmpty(b)
	newCar(b, s, blue)
	points, n := trip(1000), 0
	for b.Loop() {
		for i := range points {
			points[i].At = base + int64(n+i)*1000
		}
		put(b, s, points)
		n += len(points)
	}
	perPoint(b, n)
}

// BenchmarkFillIn1000 inserts history while newer points are there.
func BenchmarkFillIn1000(b *testing.B) {
	s := openEmpty(b)
	newCar(b, s, blue)
	put(b, s, []car.Point{point(base + 1e10)})
	points, n := trip(1000), 0
	for b.Loop() {
		for i := range points {
			points[i].At = base - int64(n+i)*1000
		}
		put(b, s, points)
		n += len(points)
	}
	perPoint(b, n)
}

func BenchmarkRepeat1000(b *testing.B) {
	s := openEmpty(b)
	newCar(b, s, blue)
	points, n := trip(1000), 0
	put(b, s, points)
	for b.Loop() {
		put(b, s, points)
		n += len(points)
	}
	perPoint(b, n)
}

// BenchmarkTick is what a live report costs: one point and the state, durable.
func BenchmarkTick(b *testing.B) {
	s := openEmpty(b)
	newCar(b, s, blue)
	state := []byte(`{"values":"` + strings.Repeat("x", 1500) + `"}`)
	p := trip(1)
	for b.Loop() {
		p[0].At += 1000
		state = strconv.AppendInt(state[:1512], p[0].At, 10)
		write(b, s, func(tx *store.Tx) error {
			if err := tx.PutState(blue, state); err != nil {
				return err
			}
			return second(tx.PutPoints(blue, noon.AddDate(1, 0, 0), p))
		})
	}
}

// BenchmarkTicks64 is the same for 64 cars in one commit.
func BenchmarkTicks64(b *testing.B) {
	s := openEmpty(b)
	cars := make([]car.ID, 64)
	for i := range cars {
		cars[i] = car.ID("car" + strconv.Itoa(i))
		newCar(b, s, cars[i])
	}
	state := []byte(`{"values":"` + strings.Repeat("x", 1500) + `"}`)
	p, n := trip(1), 0
	for b.Loop() {
		p[0].At += 1000
		state = strconv.AppendInt(state[:1512], p[0].At, 10)
		write(b, s, func(tx *store.Tx) error {
			for _, id := range cars {
				n++
				if err := tx.PutState(id, state); err != nil {
					return err
				}
				if _, err := tx.PutPoints(id, noon.AddDate(1, 0, 0), p); err != nil {
					return err
				}
			}
			return nil
		})
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "ticks/s")
}

func BenchmarkBackwards5000(b *testing.B) {
	s := openEmpty(b)
	newCar(b, s, blue)
	put(b, s, trip(5000))
	n := 0
	for b.Loop() {
		for _, err := range s.Read(b.Context()).PointsBackwards(blue, math.MaxInt64) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
	perPoint(b, n)
}

func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "wheelhouse.db")
	for b.Loop() {
		if err := openAt(b, path).Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestMillion stores and reads 1 000 000 points: neither memory nor the log
// grows with them.
func TestMillion(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	path := filepath.Join(t.TempDir(), "wheelhouse.db")
	s := openAt(t, path)
	newCar(t, s, blue)
	points := trip(1000)
	var early, late uint64
	for n := range 1000 {
		for i := range points {
			points[i].At = base + int64(n*1000+i)*1000
		}
		put(t, s, points)
		if n == 100 {
			early = memory()
		}
	}
	count := 0
	for _, err := range s.Read(t.Context()).Points(blue, 0, math.MaxInt64) {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	late = memory()
	equal(t, "points", 1_000_000, count)
	log, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("resident %d MiB after 100 000 points, %d at the end; file %d MiB, log %d MiB",
		early>>20, late>>20, file.Size()>>20, log.Size()>>20)
	if late > early+16<<20 || log.Size() > 32<<20 {
		t.Error("that is not flat")
	}
}

// memory is the resident size of this program in bytes, or what Go took where
// there is no /proc.
func memory() uint64 {
	runtime.GC()
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		pages, _ := strconv.ParseUint(strings.Fields(string(text))[1], 10, 64)
		return pages * uint64(os.Getpagesize())
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys
}
