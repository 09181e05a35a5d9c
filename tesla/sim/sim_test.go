package sim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla/sim"
)

const (
	nightjar = "5YJ3E1EA0PF000001" // a Model 3 that is online
	wagtail  = "7SAYGDEE0PF000002" // a Model Y that sleeps
	bittern  = "5YJSA1E20FF000003" // an old Model S that is offline
	dotterel = "5YJ3E1EA0PF000004" // in service
)

// every scope that an owner can have.
var every = []string{"openid", "offline_access", "user_data", "vehicle_device_data", "vehicle_location",
	"vehicle_cmds", "vehicle_charging_cmds", "energy_device_data", "enterprise_management"}

// world is a Tesla with a clock that a test turns, and somebody who signed in.
type world struct {
	*sim.Tesla
	t     testing.TB
	now   time.Time
	token string
}

func newWorld(t testing.TB, o sim.Options) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 11, 2, 5, 0, 0, 0, time.UTC)}
	o.Now = func() time.Time { return w.now }
	w.Tesla = sim.New(o)
	w.token, _ = w.Tokens(every...)
	return w
}

// wait lets time go by, and gets a new token if the old one is too old for that.
func (w *world) wait(d time.Duration) {
	w.now = w.now.Add(d)
	if d > time.Hour {
		w.token, _ = w.Tokens(every...)
	}
}

// answer is what a call brought.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

// json is the answer's body, its numbers as they are written.
func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var o map[string]any
	d := json.NewDecoder(strings.NewReader(a.Body))
	d.UseNumber()
	if err := d.Decode(&o); err != nil {
		t.Fatalf("%d %q: %v", a.Status, a.Body, err)
	}
	return o
}

// at is what the answer's body has at the end of a path.
func (a answer) at(t testing.TB, path ...string) any {
	t.Helper()
	var v any = a.json(t)
	for _, key := range path {
		o, _ := v.(map[string]any)
		v = o[key]
	}
	return v
}

func (a answer) number(t testing.TB, path ...string) float64 {
	t.Helper()
	n, ok := a.at(t, path...).(json.Number)
	if !ok {
		t.Fatalf("%v is %v", path, a.at(t, path...))
	}
	f, _ := n.Float64()
	return f
}

func (w *world) send(method, path, body string, header http.Header) answer {
	w.t.Helper()
	r, err := http.NewRequest(method, "http://tesla.invalid"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header = header
	resp, err := w.RoundTrip(r)
	if err != nil {
		return answer{Body: err.Error()}
	}
	defer resp.Body.Close()
	data, _ := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(data)}
}

func (w *world) call(method, path, body string) answer {
	w.t.Helper()
	return w.send(method, path, body, http.Header{
		"Authorization": {"Bearer " + w.token}, "Content-Type": {"application/json"}})
}

func (w *world) get(path string) answer { w.t.Helper(); return w.call("GET", "/eu/api/1"+path, "") }

func (w *world) post(path, body string) answer {
	w.t.Helper()
	return w.call("POST", "/eu/api/1"+path, body)
}

// form posts to the token endpoint.
func (w *world) form(pairs ...string) answer {
	w.t.Helper()
	f := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	return w.send("POST", "/oauth2/v3/token", f.Encode(),
		http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
}

// want fails unless the answer has the status and its body the text.
func (a answer) want(t testing.TB, status int, text string) answer {
	t.Helper()
	if a.Status != status || !strings.Contains(a.Body, text) {
		t.Errorf("%d %q, want %d with %q", a.Status, a.Body, status, text)
	}
	return a
}

const all = "?endpoints=charge_state%3Bclimate_state%3Bdrive_state%3Bgui_settings%3Blocation_data%3B" +
	"charge_schedule_data%3Bpreconditioning_schedule_data%3Bvehicle_config%3Bvehicle_state"

func (w *world) data(vin string) answer {
	w.t.Helper()
	return w.get("/vehicles/" + vin + "/vehicle_data" + all)
}
