package carstats_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats"
)

// desk takes batches and remembers them.
type desk struct {
	mu      sync.Mutex
	batches []car.Batch
	err     error
}

func (d *desk) take(_ context.Context, b car.Batch) (car.Receipt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return car.Receipt{}, d.err
	}
	d.batches = append(d.batches, b)
	return car.Receipt{New: b.Records()}, nil
}

func (d *desk) last(t *testing.T) car.Batch {
	t.Helper()
	if len(d.batches) == 0 {
		t.Fatal("nothing was taken")
	}
	return d.batches[len(d.batches)-1]
}

var received = time.UnixMilli(1748763400000)

func receiver(d *desk, change func(*carstats.Options)) *carstats.Receiver {
	o := carstats.Options{
		Take: d.take, Password: "house", Discover: true, MaxBody: 64 << 20,
		Cars: map[car.ID]carstats.Account{"volvo": {Password: "own"}, "plain": {}},
		Now:  func() time.Time { return received }, Log: zerolog.Nop(),
	}
	if change != nil {
		change(&o)
	}
	return carstats.NewReceiver(o)
}

func fixture(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func post(h http.Handler, path, user, password, body string) *httptest.ResponseRecorder {
	q := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	if user+password != "" {
		q.SetBasicAuth(user, password)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, q)
	return w
}

func TestWhichCarAndWhoMay(t *testing.T) {
	for _, c := range []struct {
		name, path, user, password string
		status                     int
		car                        car.ID
	}{
		{"by path", "/csv/polestar", "", "house", 200, "polestar"},
		{"by path, trailing slash", "/csv/polestar/", "", "house", 200, "polestar"},
		{"by user", "/csv", "Polestar 2", "house", 200, "polestar_2"},
		{"by user, trailing slash", "/csv/", "polestar", "house", 200, "polestar"},
		{"path before user", "/csv/a", "b", "house", 200, "a"},
		{"neither", "/csv", "", "house", 200, "car"},
		{"a user of signs only", "/csv", "!!", "house", 200, "car"},
		{"capitals and signs", "/csv/My%20Car!", "x", "house", 200, "my_car"},
		{"own password", "/csv/volvo", "", "own", 200, "volvo"},
		{"the house's where the car has its own", "/csv/volvo", "", "house", 401, ""},
		{"another car's own password", "/csv/polestar", "", "own", 401, ""},
		{"listed without password", "/csv/plain", "", "house", 200, "plain"},
		{"wrong password", "/csv/polestar", "", "nope", 401, ""},
		{"no password", "/csv/polestar", "", "", 401, ""},
		{"a reserved id", "/csv/bridge", "", "house", 404, ""},
		{"a reserved user", "/csv", "intake", "house", 404, ""},
		{"deeper", "/csv/a/b", "", "house", 404, ""},
		{"not our path", "/csvx", "", "house", 404, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &desk{}
			w := post(receiver(d, nil), c.path, c.user, c.password, fixture(t, "live-2.1"))
			if w.Code != c.status {
				t.Fatalf("status %d %q, want %d", w.Code, w.Body, c.status)
			}
			if len(w.Body.String()) > 200 || w.Body.Len() == 0 {
				t.Errorf("the driver reads %q", w.Body)
			}
			if c.status == 200 {
				if got := d.last(t).Car; got != c.car {
					t.Errorf("car %q, want %q", got, c.car)
				}
			} else if len(d.batches) > 0 {
				t.Error("a refused request was stored")
			}
		})
	}
}

func TestUnlistedCarWithoutDiscovery(t *testing.T) {
	d := &desk{}
	r := receiver(d, func(o *carstats.Options) { o.Discover = false })
	w := post(r, "/csv/new", "", "house", "{}")
	if w.Code != 404 || !strings.Contains(w.Body.String(), "carstats.discover") {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if w := post(r, "/csv/plain", "", "house", "{}"); w.Code != 200 {
		t.Errorf("a listed car: %d %q", w.Code, w.Body)
	}
}

func TestOtherMethodsNeverSucceed(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS"} {
		w := httptest.NewRecorder()
		receiver(&desk{}, nil).ServeHTTP(w, httptest.NewRequest(method, "/csv/polestar", nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
	}
}

// Whatever can be parsed is answered 200, for the app repeats anything else for
// ever, with everything queued behind it.
func TestBodiesAndAnswers(t *testing.T) {
	deep := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	for _, c := range []struct {
		name, body, says string
		status           int
	}{
		{"empty object", `{}`, "ok", 200},
		{"an array", `[1,2]`, "ok", 200},
		{"unknown keys", `{"apiVersion":"2.1","future":{"a":[1]},"timestamp":1748763307208}`, "ok", 200},
		{"API 2.2", `{"apiVersion":"2.2","speed":1.0,"timestamp":1748763307208}`, "ok", 200},
		{"API 3", `{"apiVersion":"3.0","speed":1.0}`, "ok", 200},
		{"API 1.0", fixture(t, "legacy-1.0"), "ok", 200},
		{"ten thousand deep", `{"x":` + deep + `}`, "ok", 200},
		{"1e400", `{"apiVersion":"2.1","speed":1e400,"timestamp":1748763307208}`, "ok", 200},
		{"everything null", `{"apiVersion":null,"speed":null,"drivingPoints":null,"chargingSessions":null}`, "ok", 200},
		{"arrays that are none", `{"apiVersion":"2.1","drivingPoints":7,"chargingSessions":"x"}`, "ok", 200},
		{"not JSON", `hello`, "not JSON at byte 0", 400},
		{"empty", ``, "not JSON at byte 0: the body ends too early", 400},
		{"broken off", `{"apiVersion":"2.1","spe`, "not JSON at byte 24", 400},
		{"NaN", `{"speed":NaN}`, "not JSON at byte 9", 400},
		{"two documents", `{}{}`, "not JSON at byte 2", 400},
		{"a hundred thousand deep and more", strings.Repeat("[", 100_002), "nested more than", 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := post(receiver(&desk{}, nil), "/csv/polestar", "", "house", c.body)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("%d %q, want %d %q", w.Code, w.Body, c.status, c.says)
			}
		})
	}
}

func TestNothingIsStoredNothingIsAnswered200(t *testing.T) {
	d := &desk{err: errors.New("disk full")}
	w := post(receiver(d, nil), "/csv/polestar", "", "house", fixture(t, "live-2.1"))
	if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "disk") {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	d.err = car.Refuse(car.NoSuch, "choose another name")
	w = post(receiver(d, nil), "/csv/polestar", "", "house", fixture(t, "live-2.1"))
	if w.Code != 404 || !strings.Contains(w.Body.String(), "choose another name") {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

func TestBrokenBodyLeavesItsGoodItems(t *testing.T) {
	body := fixture(t, "drivepoints")
	d := &desk{}
	w := post(receiver(d, nil), "/csv/polestar", "", "house", body[:len(body)/2])
	if w.Code != 400 {
		t.Fatalf("%d %q", w.Code, w.Body)
	}
	b := d.last(t)
	if len(b.Points) < 40 || b.Last || b.Report != nil {
		t.Errorf("%d points stored, last %v, report %v", len(b.Points), b.Last, b.Report)
	}
}

func TestWrongItemsAreSkippedAndCounted(t *testing.T) {
	d := &desk{}
	w := post(receiver(d, nil), "/csv/polestar", "", "house", `{"apiVersion":"2.1","timestamp":1748763307208,
		"drivingPoints":["x",{"driving_point_epoch_time":"soon"},{"distance_delta":1.0},
			{"driving_point_epoch_time":1.748763E12,"distance_delta":100.5,"lat":null},
			{"driving_point_epoch_time":-5,"distance_delta":1.0},
			{"driving_point_epoch_time":1748763000001,"distance_delta":[]}],
		"chargingSessions":[{"charged_energy":1.0},{"start_epoch_time":1748762999982,"chargingPoints":[{},
			{"charging_point_epoch_time":1748763000000,"power":-8.5E7}]}],
		"speed":"fast","power":1.0E7}`)
	if w.Code != 200 {
		t.Fatalf("%d %q", w.Code, w.Body)
	}
	b := d.last(t)
	q := b.Request
	if q.Skipped != 7 || q.SkippedWhy != "drivingPoints[0] is no object" {
		t.Errorf("skipped %d, first %q", q.Skipped, q.SkippedWhy)
	}
	if len(b.Points) != 2 || b.Points[0].At != 1748763000000 || b.Points[0].Distance != 100.5 || b.Points[1].At != -5 {
		t.Errorf("points %v", b.Points)
	}
	if len(b.ChargePoints) != 1 || b.ChargePoints[0].Power != -85_000 || len(b.Sessions) != 1 || b.Sessions[0].Points != 1 {
		t.Errorf("charge points %v, sessions %v", b.ChargePoints, b.Sessions)
	}
	if _, there := b.Report.Values["speed"]; there {
		t.Error("a speed in words was taken")
	}
}

func TestNumbersInEveryForm(t *testing.T) {
	for _, form := range []string{"16", "16.0", "1.6E1", "0.16E+2", "160e-1"} {
		d := &desk{}
		body := fmt.Sprintf(`{"apiVersion":2,"timestamp":1.748763307208E12,"speed":%s}`, form)
		post(receiver(d, nil), "/csv/polestar", "", "house", body)
		b := d.last(t)
		if x, _ := b.Report.Values["speed"].Float(); x != 16 {
			t.Errorf("%s gives %v", form, x)
		}
		if b.Request.APIVersion != "2" || b.Report.At.UnixMilli() != 1748763307208 {
			t.Errorf("API %q at %v", b.Request.APIVersion, b.Report.At)
		}
	}
}

func TestForksSpeakTheSame(t *testing.T) {
	d := &desk{}
	post(receiver(d, nil), "/csv/polestar", "", "house", fixture(t, "live-2.1"))
	plain := d.last(t).Report
	fork := fixture(t, "live-2.1")
	for from, to := range map[string]string{
		"speed": "realTimeSpeed", "power": "realTimePower", "selectedGear": "realTimeGear",
		"ignitionState": "realTimeIgnitionState", "chargePortConnected": "realTimeChargePortConnected",
		"batteryLevel": "realTimeBatteryLevel", "stateOfCharge": "realTimeStateOfCharge",
		"ambientTemperature": "realTimeAmbientTemperature", "lat": "realTimeLat", "lon": "realTimeLon", "alt": "realTimeAlt",
	} {
		fork = strings.Replace(fork, `"`+from+`":`, `"`+to+`":`, 1)
	}
	post(receiver(d, nil), "/csv/polestar", "", "house", fork)
	got := d.last(t).Report
	if len(got.Values) != len(plain.Values) {
		t.Fatalf("%v, want %v", got.Values, plain.Values)
	}
	for path, v := range plain.Values {
		if got.Values[path] != v {
			t.Errorf("%s: %v, want %v", path, got.Values[path], v)
		}
	}
}

func TestSecretsStayAtTheDoor(t *testing.T) {
	var log bytes.Buffer
	d := &desk{}
	r := receiver(d, func(o *carstats.Options) { o.Raw, o.Log = true, zerolog.New(&log) })
	for _, body := range []string{
		fixture(t, "live-abrp"),
		strings.Replace(fixture(t, "live-abrp"), `"apiVersion":"2.1"`, `"apiVersion":"3.1"`, 1),
	} {
		if w := post(r, "/csv/polestar", "", "house", body); w.Code != 200 {
			t.Fatalf("%d %q", w.Code, w.Body)
		}
	}
	if d.batches[0].Raw == "" || d.batches[1].Unknown == "" {
		t.Fatal("raw report or unknown body missing")
	}
	kept := fmt.Sprintf("%+v %+v", d.batches, log.String())
	for _, secret := range []string{"fake-abrp-token", "fake-api-key", "abrpPackage", "Authorization"} {
		if strings.Contains(kept, secret) {
			t.Errorf("%q is kept: %s", secret, kept)
		}
	}
	if strings.Contains(log.String(), "56.1") {
		t.Errorf("a position is in the log: %s", log.String())
	}
}

func TestUnknownAPIIsKeptNotUnderstood(t *testing.T) {
	d := &desk{}
	post(receiver(d, nil), "/csv/polestar", "", "house",
		`{"aNew":{"b":[1,2]},"apiVersion":"3.0","drivingPoints":[{"when":1}],"speed":2.0}`)
	b := d.last(t)
	want := `{"aNew":{"b":[1,2]},"apiVersion":"3.0","drivingPoints":[{"when":1}],"speed":2.0}`
	if b.Report != nil || b.Unknown != want || !b.Request.UnknownAPI {
		t.Errorf("report %v, kept %s", b.Report, b.Unknown)
	}
}

func TestWarningsOnceADay(t *testing.T) {
	var log bytes.Buffer
	now := received
	r := receiver(&desk{}, func(o *carstats.Options) {
		o.Log, o.Now = zerolog.New(&log), func() time.Time { return now }
	})
	for range 20_000 { // more than a day of ticks
		post(r, "/csv/polestar", "", "house", fixture(t, "legacy-1.0"))
		now = now.Add(5 * time.Second)
	}
	if n := strings.Count(log.String(), "update Car Stats Viewer"); n != 2 {
		t.Errorf("%d warnings in %v", n, 20_000*5*time.Second)
	}
}

func TestWrongClockCountsAsReceived(t *testing.T) {
	for _, ms := range []string{"0.0", "-5", "1", "4102444800000", "1e300"} {
		d := &desk{}
		post(receiver(d, nil), "/csv/polestar", "", "house", `{"apiVersion":"2.1","speed":1.0,"timestamp":`+ms+`}`)
		b := d.last(t)
		if !b.Report.At.Equal(received) || !b.Request.ClockWrong {
			t.Errorf("%s: at %v, clock wrong %v", ms, b.Report.At, b.Request.ClockWrong)
		}
	}
}

func TestStaleSnapshotCountsAsOfItsPoint(t *testing.T) {
	body := func(lat, soc string, sent int64) string {
		return fmt.Sprintf(`{"apiVersion":"2.1","alt":1.0,"lat":%s,"lon":3.2,"stateOfCharge":%s,"timestamp":%d,
			"drivingPoints":[{"driving_point_epoch_time":1748763000000,"alt":1.0,"lat":56.1,"lon":3.2,"state_of_charge":0.5}]}`,
			lat, soc, sent)
	}
	for _, c := range []struct {
		name, body string
		stale      bool
	}{
		{"sent two seconds later", body("56.1", "0.5", 1748763002000), false},
		{"sent twenty seconds later", body("56.1", "0.5", 1748763020000), true},
		{"the car has moved on", body("56.2", "0.5", 1748763020000), false},
		{"the battery has moved on", body("56.1", "0.49", 1748763020000), false},
	} {
		d := &desk{}
		post(receiver(d, nil), "/csv/polestar", "", "house", c.body)
		b := d.last(t)
		if b.Request.Stale != c.stale || c.stale != (b.Report.At.UnixMilli() == 1748763000000) {
			t.Errorf("%s: stale %v, at %v", c.name, b.Request.Stale, b.Report.At)
		}
		if c.stale && b.Report.Age != 20*time.Second {
			t.Errorf("%s: age %v", c.name, b.Report.Age)
		}
	}
}

func TestIntakeIsAPostWithoutPassword(t *testing.T) {
	d := &desk{}
	r := receiver(d, func(o *carstats.Options) { o.Discover, o.MaxBody = false, 1000 })
	if err := r.Intake(context.Background(), "plain", []byte(fixture(t, "live-2.1"))); err != nil {
		t.Fatal(err)
	}
	if b := d.last(t); b.Car != "plain" || b.Report == nil || b.Request.Source != "mqtt" {
		t.Errorf("%+v", b)
	}
	for name, err := range map[string]error{
		"unlisted": r.Intake(context.Background(), "new", []byte(`{}`)),
		"reserved": r.Intake(context.Background(), "bridge", []byte(`{}`)),
		"too long": r.Intake(context.Background(), "plain", make([]byte, 1001)),
		"not JSON": r.Intake(context.Background(), "plain", []byte(`hello`)),
	} {
		if err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// flood is a body of any size that is never in memory.
func flood(head, unit, tail string, n int) io.Reader {
	parts := make([]io.Reader, 0, n+2)
	parts = append(parts, strings.NewReader(head))
	for range n {
		parts = append(parts, strings.NewReader(unit))
	}
	return io.MultiReader(append(parts, strings.NewReader(tail))...)
}

func TestTooLong(t *testing.T) {
	d := &desk{}
	r := receiver(d, func(o *carstats.Options) { o.MaxBody = 100_000 })
	w := post(r, "/csv/polestar", "", "house", `{"x":"`+strings.Repeat("y", 100_000)+`"}`)
	if w.Code != 413 || !strings.Contains(w.Body.String(), "carstats.max_body") {
		t.Errorf("announced: %d %q", w.Code, w.Body)
	}
	q := httptest.NewRequest(http.MethodPost, "/csv/polestar", flood(`{"x":"`, strings.Repeat("y", 1000), `"}`, 101))
	q.SetBasicAuth("", "house")
	q.ContentLength = -1
	w = httptest.NewRecorder()
	r.ServeHTTP(w, q)
	if w.Code != 413 {
		t.Errorf("chunked: %d %q", w.Code, w.Body)
	}
}

// serve runs the receiver behind a real HTTP server on one in-memory connection.
func serve(t *testing.T, r http.Handler) net.Conn {
	client, server := net.Pipe()
	s := &http.Server{Handler: r}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.Serve(&oneListener{conn: server, closed: make(chan struct{})})
	}()
	t.Cleanup(func() { _ = client.Close(); _ = s.Close(); <-served })
	return client
}

type oneListener struct {
	conn   net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *oneListener) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}
func (l *oneListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *oneListener) Addr() net.Addr { return &net.TCPAddr{} }

func TestSlowBodies(t *testing.T) {
	for _, c := range []struct {
		name  string
		bytes int // a time
		every time.Duration
		times int // the sender wants to write
		want  string
		after time.Duration
	}{
		{"silence", 1, time.Hour, 2, "408", idleBody},
		{"one byte a second, of 300 MB", 1, time.Second, 300 << 20, "408", 2 * time.Minute},
		{"a slow phone link", 2048, time.Second, 1000, "200", 1000 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := serve(t, receiver(&desk{}, nil))
				start := time.Now()
				sent, heard := make(chan struct{}), make(chan struct{})
				defer func() { close(heard); <-sent }()
				go func() {
					defer close(sent)
					fmt.Fprintf(conn, "POST /csv/polestar HTTP/1.1\r\nHost: x\r\nAuthorization: Basic OmhvdXNl\r\nTransfer-Encoding: chunked\r\n\r\n")
					fmt.Fprintf(conn, "1\r\n[\r\n")
					chunk := fmt.Sprintf("%x\r\n%s\r\n", c.bytes, strings.Repeat(" ", c.bytes))
					for range c.times {
						select {
						case <-time.After(c.every):
						case <-heard:
							return
						}
						if _, err := io.WriteString(conn, chunk); err != nil {
							return
						}
					}
					fmt.Fprintf(conn, "1\r\n]\r\n0\r\n\r\n")
				}()
				line := make([]byte, 12)
				if _, err := io.ReadFull(conn, line); err != nil {
					t.Fatal(err)
				}
				took := time.Since(start)
				if !strings.HasSuffix(string(line), c.want) || took < c.after || took > c.after+5*time.Second {
					t.Errorf("%q after %v, want %s after %v", line, took, c.want, c.after)
				}
			})
		})
	}
}

const idleBody = 30 * time.Second
