package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

// tickKeys are the topics that every tick of a fleet changes, for it changes
// every field of the app's body.
var tickKeys = []string{
	"battery", "battery_energy", "battery_capacity", "power", "speed", "consumption_now",
	"outside_temperature", "gear", "ignition", "plugged_in", "location", "altitude", "app_version", "api_version",
}

// tickValues are the payloads of tickKeys after tick i, worked out by hand.
func tickValues(i int) []string {
	soc, level := float64(300+i%100)/10, float64(3000+i%100)/100
	power, speed := float64(1000+i%1000)/100, float64(20+i%10)
	onOff := []string{"OFF", "ON"}
	return []string{
		car.Format(soc, 1), car.Format(level, 2), car.Format(level/soc*100, 1), car.Format(power, 2),
		car.Format(speed*3.6, 0), car.Format(power/(speed*3.6)*100, 1), car.Format(float64(100+i%100)/10, 1),
		[]string{"P", "R", "N", "D"}[i%4], []string{"Off", "Accessory"}[i%2], onOff[i%2],
		fmt.Sprintf(`{"latitude":%s,"longitude":%s,"gps_accuracy":10,"altitude":%d}`,
			car.Format(54+float64(1+i%1000)/1000, 6), car.Format(3+float64(1+i%1000)/1000, 6), 100+i%100),
		strconv.Itoa(100 + i%100), fmt.Sprintf("0.28.1.%04d", i%2), []string{"2.0", "2.1"}[i%2],
	}
}

// tickState is the same as the app would see it.
func tickState(i int, at int64) (sim.Release, sim.State) {
	release, err := sim.ReleaseOf(sim.Newest)
	if err != nil {
		panic(err)
	}
	release.Version, release.API = fmt.Sprintf("0.28.1.%04d", i%2), []string{`"2.0"`, `"2.1"`}[i%2]
	return release, sim.State{
		Timestamp: at, SoC: float64(300+i%100) / 1000, Level: float64(30000 + i%100*10),
		Power: float64(10000 + i%1000*10), Speed: float64(20 + i%10), Outside: float64(100+i%100) / 10,
		Gear:     []string{"P", "R", "N", "D"}[i%4],
		Ignition: []string{"Off", "Accessory"}[i%2], Plugged: i%2 == 1,
		Lat: 54 + float64(1+i%1000)/1000, Lon: 3 + float64(1+i%1000)/1000, Alt: float64(100 + i%100),
	}
}

const tickSpacing = 100 * time.Millisecond // of the cars' time

// fleet are cars with everything they will post: ticks with all fields changed
// and one new driving point each.
type fleet struct {
	cars  []car.ID
	posts [][][]byte    // by car: whole requests
	sent  []int         // by car: how many were answered
	due   [][]time.Time // by car: when each was to be sent
	end   time.Time     // of the cars' time
}

// recently is when the cars' time may begin, so that it does not end in our
// future, nor so long ago that nobody is told of what happens.
func recently() time.Time { return time.Now().Add(-7 * time.Minute) }

// newFleet builds all requests, so that sending them costs little.
func newFleet(cars, posts int, first time.Time) *fleet {
	f := &fleet{posts: make([][][]byte, cars), sent: make([]int, cars), due: make([][]time.Time, cars)}
	f.end = first.Add(time.Duration(posts) * tickSpacing)
	bodies := make([][]byte, posts)
	for i := range bodies {
		at := first.Add(time.Duration(i) * tickSpacing).UnixMilli()
		release, state := tickState(i, at)
		bodies[i] = release.PointsBody(nil, state, []car.Point{{
			At: at, Distance: 5, Energy: 1, SoC: state.SoC, Lat: state.Lat, Lon: state.Lon, Alt: state.Alt,
		}})
	}
	for c := range f.posts {
		id := car.ID(fmt.Sprintf("car%02d", c))
		f.cars = append(f.cars, id)
		for _, body := range bodies {
			f.posts[c] = append(f.posts[c], request(id, body))
		}
	}
	return f
}

// head is an HTTP request up to its body.
func head(id car.ID, length int) []byte {
	credentials := base64.StdEncoding.EncodeToString([]byte(string(id) + ":" + secret))
	return fmt.Appendf(nil, "POST %s/%s HTTP/1.1\r\nHost: wheelhouse\r\nUser-Agent: CarStatsViewer %s\r\n"+
		"Authorization: Basic %s\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: %d\r\n\r\n",
		carstats.Path, id, sim.Newest, credentials, length)
}

func request(id car.ID, body []byte) []byte { return append(head(id, len(body)), body...) }

// line is one keep-alive connection of a car. It does the least that a client
// must, because it shares the processors with what it measures.
type line struct {
	net.Conn
	buf [4096]byte
}

func connect(address string) (*line, error) {
	conn, err := net.Dial("tcp", address)
	return &line{Conn: conn}, err
}

// post sends a request and waits for its 200.
func (l *line) post(request []byte) error {
	if _, err := l.Write(request); err != nil {
		return err
	}
	return l.answer()
}

func (l *line) answer() error {
	have := 0
	for {
		n, err := l.Read(l.buf[have:])
		if err != nil {
			return err
		}
		have += n
		if whole(l.buf[:have]) {
			break
		}
	}
	if !bytes.HasPrefix(l.buf[:have], []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("answer: %s", l.buf[:have])
	}
	return nil
}

// whole says whether an answer with a Content-Length has arrived to its end.
func whole(answer []byte) bool {
	head, body, found := bytes.Cut(answer, []byte("\r\n\r\n"))
	if !found {
		return false
	}
	_, rest, found := bytes.Cut(head, []byte("Content-Length: "))
	if !found {
		return true
	}
	digits, _, _ := bytes.Cut(rest, []byte("\r\n"))
	length, err := strconv.Atoi(string(digits))
	return err == nil && len(body) >= length
}

// drive lets every car post its next n requests over a connection of its own:
// each as soon as the last is answered, or if every is set once in that time,
// the cars after one another. Like a real car, one that had to wait for an answer
// leaves out what it would have sent meanwhile. It returns how long each request
// took.
func (f *fleet) drive(tb testing.TB, address string, n int, every time.Duration) []time.Duration {
	tb.Helper()
	took, errs := make([][]time.Duration, len(f.cars)), make([]error, len(f.cars))
	start := time.Now()
	var all sync.WaitGroup
	for c := range f.cars {
		all.Go(func() {
			due := start.Add(every * time.Duration(c) / time.Duration(len(f.cars)))
			took[c], errs[c] = f.driveOne(c, address, n, due, every)
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		tb.Fatal(err)
	}
	return slices.Concat(took...)
}

func (f *fleet) driveOne(
	c int, address string, n int, due time.Time, every time.Duration,
) ([]time.Duration, error) {
	l, err := connect(address)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	took := make([]time.Duration, 0, n)
	for range n {
		if every > 0 {
			<-time.After(time.Until(due))
		}
		start := time.Now()
		f.due[c] = append(f.due[c], due)
		if due = due.Add(every); due.Before(start) {
			due = start
		}
		if err := l.post(f.posts[c][f.sent[c]]); err != nil {
			return took, fmt.Errorf("post %d of %s: %w", f.sent[c], f.cars[c], err)
		}
		took = append(took, time.Since(start))
		f.sent[c]++
	}
	return took, nil
}

// percentile is in milliseconds.
func percentile(d []time.Duration, p float64) float64 {
	slices.Sort(d)
	i := min(int(p*float64(len(d))), len(d)-1)
	return float64(d[i]) / 1e6
}
