package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

// long is how long a measurement takes; -short makes it a look whether it works.
func long(normal time.Duration) time.Duration {
	if testing.Short() {
		return normal / 5
	}
	return normal
}

// figure shows a figure, also if the benchmark fails.
func figure(b *testing.B, value float64, unit string) {
	b.ReportMetric(value, unit)
	if b.Failed() || testing.Verbose() {
		b.Logf("%.5g %s", value, unit)
	}
}

const (
	fleetSize    = 64
	tickRate     = 200 // posts a second where latencies are measured
	tickCars     = 20
	paceOfTicks  = time.Second * tickCars / tickRate
	bareInFlight = 20 // as many as the program has
	busy         = 25 // per cent of the CPU time spent elsewhere that spoil a measurement
)

// BenchmarkTickLatency: 20 cars post 200 times a second, and a subscriber of the
// embedded broker waits for the last topic of each post.
func BenchmarkTickLatency(b *testing.B) {
	house := serve(b, "wheelhouse", b.TempDir())
	plain := bare(b)
	for b.Loop() {
		n := int(long(10*time.Second) / paceOfTicks)
		f := newFleet(tickCars, n+1, recently())
		s := subscribe(b, house.broker, "wheelhouse/#")
		f.drive(b, house.webhook, 1, 0) // makes the cars
		s.holds(b, f)
		s.quiet(b)
		s.mark()
		before := effortOf(house, 0)
		answered := f.drive(b, house.webhook, n, paceOfTicks)
		figure(b, effortOf(house, 0).since(before).elsewhere(), "%cpu-elsewhere")
		s.holds(b, f)
		fewErrors(b, s.lacking(f, 1))
		arrived := s.latencies(f)
		figure(b, percentile(arrived, 0.5), "p50-ms")
		figure(b, percentile(arrived, 0.99), "p99-ms")
		figure(b, percentile(answered, 0.99), "answer-p99-ms")
		f.sent = make([]int, tickCars)
		reference := f.drive(b, plain.webhook, n, paceOfTicks)
		figure(b, percentile(reference, 0.99), "bare-answer-p99-ms")
	}
}

// latencies are the times from when each post was due to when the last of its
// topics had arrived.
func (s *subscriber) latencies(f *fleet) (all []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, id := range f.cars {
		for i, due := range f.due[c][1:] {
			var last time.Time
			for _, key := range tickKeys {
				if at := s.topics["wheelhouse/"+string(id)+"/"+key].times[i]; at.After(last) {
					last = at
				}
			}
			all = append(all, last.Sub(due))
		}
	}
	return all
}

// BenchmarkTickBesideUpload: how soon 200 ticks a second are answered while
// another car uploads its whole database, as each version of the app does it.
func BenchmarkTickBesideUpload(b *testing.B) {
	for _, version := range []string{"0.25.2", sim.Newest} {
		b.Run(version, func(b *testing.B) {
			for b.Loop() {
				besideUpload(b, version)
			}
		})
	}
}

func besideUpload(b *testing.B, version string) {
	house := serve(b, "wheelhouse", b.TempDir())
	plain := bare(b)
	f := newFleet(tickCars, 4000, recently())
	s := subscribe(b, house.broker, "wheelhouse/#")
	f.drive(b, house.webhook, 1, 0)
	s.holds(b, f)
	history := sim.History{Days: 365}
	if testing.Short() {
		history.Days = 60
	}
	uploaded := make(chan error, 1)
	go func() { uploaded <- upload(house.webhook, "uploader", version, history) }()
	var answered []time.Duration
	before, under := effortOf(house, 0), true
	for under && f.sent[0] < 3900 {
		answered = append(answered, f.drive(b, house.webhook, 5, paceOfTicks)...)
		select {
		case err := <-uploaded:
			under = false
			if err != nil {
				b.Fatal(err)
			}
		default:
		}
	}
	if under {
		b.Fatal("the upload takes longer than the ticks that were made ready")
	}
	spent := effortOf(house, 0).since(before)
	s.holds(b, f)
	want := 0
	for range history.Points() {
		want++
	}
	if n := house.points(b, "uploader"); n != want {
		b.Errorf("%d points are stored of %d", n, want)
	}
	figure(b, percentile(answered, 0.5), "p50-ms")
	figure(b, percentile(answered, 0.99), "p99-ms")
	figure(b, percentile(answered, 1), "max-ms")
	figure(b, spent.elsewhere(), "%cpu-elsewhere")
	f.sent = make([]int, tickCars)
	figure(b, percentile(f.drive(b, plain.webhook, 20, paceOfTicks), 0.99), "bare-p99-ms")
}

// upload sends a history as a version of the app does.
func upload(webhook, id, version string, h sim.History) error {
	c, err := sim.New(sim.Options{
		URL: "http://" + webhook + "/csv/" + id, User: id, Password: secret, Version: version,
	})
	if err != nil {
		return err
	}
	return c.UploadDatabase(context.Background(), h)
}

// BenchmarkLoad: 64 cars post as fast as they are answered, then at half the
// pace that a bare publisher reaches.
func BenchmarkLoad(b *testing.B) {
	b.Run("embedded", func(b *testing.B) {
		house := serve(b, "wheelhouse", b.TempDir())
		plain := bare(b)
		load{house: house, broker: house.broker, plain: plain, plainBroker: plain.broker}.run(b)
	})
	b.Run("mosquitto", func(b *testing.B) {
		address, pid := mosquitto(b)
		house := serve(b, "wheelhouse", b.TempDir(), "MQTT__URL=mqtt://"+address)
		load{house: house, broker: address, brokerPID: pid, plain: bare(b), plainBroker: address}.run(b)
	})
}

// load is what a load is put on, and what it is compared with.
type load struct {
	house       *subject
	broker      string
	brokerPID   int // of a broker that is a process of its own
	plain       *subject
	plainBroker string
}

func (l load) run(b *testing.B) {
	for b.Loop() {
		messages := l.barePublisher(b)
		pace := messages / float64(len(tickKeys)) / 2
		figure(b, messages, "bare-msgs/s")
		figure(b, l.barePosts(b), "bare-posts/s")
		end := l.flatOut(b)
		l.halfOfBare(b, pace, end)
	}
}

// flatOut measures how many posts are answered and stored, and when the last
// values are there. It returns the cars' time after it.
func (l load) flatOut(b *testing.B) (last time.Time) {
	seconds := long(10 * time.Second).Seconds()
	f := newFleet(fleetSize, 1+int(5000*seconds)/fleetSize, recently())
	s := subscribe(b, l.broker, "wheelhouse/#")
	f.drive(b, l.house.webhook, 1, 0)
	s.holds(b, f)
	s.quiet(b)
	s.mark()
	n := len(f.posts[0]) - 1
	before, start := effortOf(l.house, l.brokerPID), time.Now()
	took := f.drive(b, l.house.webhook, n, 0)
	end := time.Now()
	s.holds(b, f)
	settled := s.quiet(b).Sub(end)
	spent := effortOf(l.house, l.brokerPID).since(before)
	for _, id := range f.cars {
		if got := l.house.points(b, id); got != n+1 {
			b.Errorf("%d points of %s are stored, %d were acknowledged", got, id, n+1)
		}
	}
	all, ticks := s.messages()
	figure(b, float64(n*fleetSize)/end.Sub(start).Seconds(), "posts/s")
	figure(b, float64(max(0, settled))/1e6, "settled-ms")
	figure(b, percentile(took, 0.99), "p99-ms")
	figure(b, 100*float64(ticks)/float64(n*fleetSize*len(tickKeys)), "%published")
	figure(b, float64(spent.program.Microseconds())/float64(n*fleetSize), "cpu-µs/post")
	figure(b, 100*float64(spent.cars)/float64(spent.program+spent.cars+spent.broker), "%cpu-of-cars")
	figure(b, spent.elsewhere(), "%cpu-elsewhere")
	b.Logf("%d posts, %d messages; CPU time: program %v, cars and subscriber %v, broker %v",
		n*fleetSize, all, spent.program, spent.cars, spent.broker)
	l.sameAsRetained(b, s)
	_ = s.Close()
	return f.end
}

// sameAsRetained fails if a topic's last value is not the broker's.
func (l load) sameAsRetained(b *testing.B, s *subscriber) {
	kept := retainedNow(b, l.broker)
	var wrong []string
	for topic, payload := range s.state() {
		if payload != "" && kept[topic] != payload {
			wrong = append(wrong, fmt.Sprintf("%s: heard %q last, retained is %q", topic, payload, kept[topic]))
		}
	}
	fewErrors(b, wrong)
}

// halfOfBare posts at a pace at which nothing may be coalesced. Something else
// on the machine may spoil an attempt; three in a row it does not.
func (l load) halfOfBare(b *testing.B, pace float64, first time.Time) {
	var lacking []string
	for attempt := range 3 {
		figure(b, float64(attempt+1), "half-attempts")
		lacking = l.atPace(b, pace, first.Add(time.Duration(attempt)*10*time.Minute))
		if len(lacking) == 0 {
			return
		}
	}
	if testing.Short() {
		b.Logf("a short run cannot say whether the pace is held: %d topics lack values, first %s", len(lacking), lacking[0])
		return
	}
	fewErrors(b, lacking)
}

// atPace posts at a pace and returns the topics of which values are missing.
func (l load) atPace(b *testing.B, pace float64, first time.Time) (lacking []string) {
	n := int(long(5*time.Second).Seconds() * pace / fleetSize)
	every := time.Duration(float64(time.Second) * fleetSize / pace)
	f := newFleet(fleetSize, 1+n, first)
	s := subscribe(b, l.broker, "wheelhouse/#")
	f.drive(b, l.house.webhook, 1, 0)
	s.holds(b, f)
	s.quiet(b)
	s.mark()
	before, start := effortOf(l.house, l.brokerPID), time.Now()
	f.drive(b, l.house.webhook, n, every)
	spent := effortOf(l.house, l.brokerPID).since(before)
	reached := float64(n*fleetSize) / time.Since(start).Seconds()
	s.holds(b, f)
	if lacking = s.lacking(f, 1); len(lacking) > 0 && spent.elsewhere() > busy {
		b.Logf("the machine was too busy to tell whether values are left out: %s", lacking[0])
		lacking = nil
	}
	figure(b, pace, "half-posts/s")
	figure(b, reached, "half-reached/s")
	figure(b, spent.elsewhere(), "half-%cpu-elsewhere")
	_ = s.Close()
	return lacking
}

// barePosts is how many of the same posts a bare handler answers a second.
func (l load) barePosts(b *testing.B) float64 {
	f := newFleet(fleetSize, int(10000*long(2*time.Second).Seconds())/fleetSize, recently())
	start := time.Now()
	f.drive(b, l.plain.webhook, len(f.posts[0]), 0)
	return float64(len(f.posts[0])*fleetSize) / time.Since(start).Seconds()
}

// barePublisher is how many of the same messages a bare client publishes a
// second, with as many in flight.
func (l load) barePublisher(b *testing.B) float64 {
	s := subscribe(b, l.plainBroker, "bare/#")
	defer s.Close()
	conn, err := net.Dial("tcp", l.plainBroker)
	if err != nil {
		b.Fatal(err)
	}
	p := paho.NewClient(paho.ClientConfig{Conn: packets.NewThreadSafeConn(conn)})
	if _, err := p.Connect(b.Context(), &paho.Connect{
		ClientID: "bare", KeepAlive: 60, CleanStart: true,
		Username: homeUser, UsernameFlag: true, Password: []byte(secret), PasswordFlag: true,
	}); err != nil {
		b.Fatal(err)
	}
	defer p.Disconnect(&paho.Disconnect{})
	messages := bareMessages()
	var next atomic.Int64
	var workers sync.WaitGroup
	errs := make([]error, bareInFlight)
	start := time.Now()
	end := start.Add(long(4 * time.Second))
	for w := range bareInFlight {
		workers.Go(func() {
			for errs[w] == nil && time.Now().Before(end) {
				m := messages[int(next.Add(1)-1)%len(messages)]
				_, errs[w] = p.Publish(context.Background(), &m)
			}
		})
	}
	workers.Wait()
	took := time.Since(start)
	if err := errors.Join(errs...); err != nil {
		b.Fatal(err)
	}
	until(b, 10*time.Second, func() error {
		if all, _ := s.messages(); all != int(next.Load()) {
			return fmt.Errorf("the subscriber has %d of %d messages of the bare publisher", all, next.Load())
		}
		return nil
	})
	return float64(next.Load()) / took.Seconds()
}

// bareMessages are two ticks of all cars as messages.
func bareMessages() (all []paho.Publish) {
	for i := range 2 {
		for c := range fleetSize {
			for k, payload := range tickValues(i) {
				all = append(all, paho.Publish{
					Topic: fmt.Sprintf("bare/car%02d/%s", c, tickKeys[k]), Payload: []byte(payload), QoS: 1, Retain: true,
				})
			}
		}
	}
	return all
}

// mosquitto starts Debian's broker, if it is there.
func mosquitto(b *testing.B) (address string, pid int) {
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto"
	}
	if _, err := os.Stat(path); err != nil {
		b.Skip("no mosquitto here: install it to measure with it")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address = l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	_ = l.Close()
	conf := filepath.Join(b.TempDir(), "mosquitto.conf")
	text := "listener " + port + " 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nlog_type error\n"
	if os.Getuid() == 0 {
		text += "user root\n"
	}
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(path, "-c", conf)
	cmd.Stdout, cmd.Stderr = io.Discard, os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	until(b, 5*time.Second, func() error {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
	return address, cmd.Process.Pid
}
