package sim_test

import (
	"io"
	"testing"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

func BenchmarkBodies(b *testing.B) {
	release, err := sim.ReleaseOf("")
	if err != nil {
		b.Fatal(err)
	}
	state := sim.State{Timestamp: 1748763307208, Speed: 31.15, Power: 24187, Gear: "D",
		Ignition: "Started", Level: 63180, SoC: 0.81, Outside: 14.5, Lat: 56.102844,
		Lon: 3.2443893, Alt: 88.8022}
	points := make([]car.Point, 250)
	for i := range points {
		points[i] = car.Point{At: 1748763307168 + int64(i), Distance: 100.41, Energy: 27.73,
			SoC: 0.81, Lat: 56.102844, Lon: 3.2443893, Alt: 88.8022}
	}
	var buf []byte
	b.Run("live", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = release.LiveBody(buf[:0], state)
		}
	})
	b.Run("250 points", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = release.PointsBody(buf[:0], state, points)
		}
		b.SetBytes(int64(len(buf)))
	})
}

func BenchmarkYear(b *testing.B) {
	release, err := sim.ReleaseOf("0.25.2")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		n, err := io.Copy(io.Discard, release.Database(sim.State{}, sim.History{Days: 365}))
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(n)
	}
}

func BenchmarkStep(b *testing.B) {
	c, err := sim.New(sim.Options{Script: sim.FastDay()})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		c.Step()
	}
}
