//go:build homeassistant

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

const (
	blueprint = "wheelhouse/car_stats_viewer.yaml"
	webhookID = "a-long-secret"
	direct    = "direct" // a car that posts to the program itself
)

// automation makes the file that people import the automation of a car. A home with
// default_config has the webhook integration already.
const automation = `
webhook:
automation:
  - id: wheelhouse
    alias: Car Stats Viewer to Wheelhouse
    use_blueprint:
      path: ` + blueprint + `
      input: {webhook_id: ` + webhookID + `, car: Polestar}
`

// forwardedByHome: what a car posts to a webhook of Home Assistant becomes what it
// would have become had the car posted it to the program, whatever its length.
func forwardedByHome(h *house) {
	h.must(h.ha.takesBlueprint())
	h.opens()
	h.drivesBothWays()
	for _, long := range []struct {
		what string
		body []byte
	}{
		{"6 000 points", h.backlog(6000, 0)},
		{"a night of charging", h.backlog(0, 5760)},
		{"a database in one request", h.database(250)},
	} {
		h.must(h.program.post(direct, string(long.body)))
		h.must(h.ha.webhook(long.body))
		took := h.eventually(long.what, 2*time.Minute, h.sameBothWays)
		h.figures.measured(h.Name(), fmt.Sprintf("%s, %.1f MB", long.what, float64(len(long.body))/1e6),
			took.Round(time.Millisecond), "-")
	}
	h.agrees(patience)
}

// takesBlueprint adds the project's blueprint and an automation made of it to a Home
// Assistant that does not run.
func (ha *instance) takesBlueprint() error {
	text, err := os.ReadFile(filepath.Join("../../packaging/homeassistant/blueprints/automation", blueprint))
	if err != nil {
		return err
	}
	to := filepath.Join(ha.dir, "blueprints/automation", blueprint)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(to, text, 0o600); err != nil {
		return err
	}
	f, err := appendTo(filepath.Join(ha.dir, "configuration.yaml"))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(automation)
	return err
}

// webhook posts as the app does; Home Assistant says 200 to everything.
func (ha *instance) webhook(body []byte) error {
	q, err := http.NewRequest(http.MethodPost, ha.rest.base+"/api/webhook/"+webhookID, bytes.NewReader(body))
	if err != nil {
		return err
	}
	q.Header.Set("Content-Type", "application/json;charset=UTF-8")
	q.SetBasicAuth("any", "password")
	a, err := restClient.Do(q)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if _, err := io.Copy(io.Discard, a.Body); err != nil || a.StatusCode != http.StatusOK {
		return fmt.Errorf("the webhook of Home Assistant answers %s: %w", a.Status, err)
	}
	return nil
}

// drivesBothWays lets a car drive and charge, and posts each body to both.
func (h *house) drivesBothWays() {
	h.Helper()
	c, err := sim.New(sim.Options{Seed: 1, Script: outing, Start: time.Now()})
	h.must(err)
	posts := 0
	for more := 2; more > 0; posts++ {
		body := c.Step()
		h.must(h.program.post(direct, string(body)))
		h.must(h.ha.webhook(body))
		if len(c.Truth().Charges) > 0 {
			more--
		}
	}
	took := h.eventually("the last of many posts is through", time.Minute, h.sameBothWays)
	h.figures.measured(h.Name(), fmt.Sprintf("%d posts as fast as they go, the rest took", posts),
		took.Round(time.Millisecond), "-")
}

// sameBothWays compares all that the broker keeps and the program exports of the two
// cars.
func (h *house) sameBothWays() error {
	kept, err := h.recorder.kept()
	if err != nil {
		return err
	}
	if diff := cmp.Diff(ofCar(kept, direct), ofCar(kept, polestar)); diff != "" {
		return fmt.Errorf("-direct +forwarded:\n%s", diff)
	}
	for _, what := range []string{"points", "sessions"} {
		a, err := h.program.command("export", direct, "--what", what, "--format", "json").Output()
		if err != nil {
			return err
		}
		b, err := h.program.command("export", polestar, "--what", what, "--format", "json").Output()
		if err != nil {
			return err
		}
		if !bytes.Equal(a, b) {
			return fmt.Errorf("%d bytes of %s were stored of %d", len(b), what, len(a))
		}
	}
	return nil
}

// ofCar are the topics of a car, but for those that say when and how its posts came.
func ofCar(kept map[string]string, name string) map[string]string {
	values := map[string]string{}
	for topic, payload := range kept {
		key, ok := strings.CutPrefix(topic, "wheelhouse/"+name+"/")
		if ok && key != "last_seen" && key != "diagnostics" {
			values[key] = payload
		}
	}
	return values
}

// backlog is a body with what a car could not send for long: the last points of a
// year, or a session that many points long.
func (h *house) backlog(points, curve int) []byte {
	h.Helper()
	release, err := sim.ReleaseOf(sim.Newest)
	h.must(err)
	s := parked()
	s.Timestamp = time.Now().UnixMilli()
	if curve > 0 {
		return release.SessionBody(nil, s, night(time.Now().Add(-24*time.Hour), curve))
	}
	return release.PointsBody(nil, s, take(sim.History{Days: 30}.Points(), points))
}

// database is a history of so many days in one body.
func (h *house) database(days int) []byte {
	h.Helper()
	release, err := sim.ReleaseOf("0.25.2")
	h.must(err)
	s := parked()
	s.Timestamp = time.Now().UnixMilli()
	body, err := io.ReadAll(release.Database(s, sim.History{Seed: 2, Days: days}))
	h.must(err)
	return body
}

// night is a session with a point every five seconds.
func night(start time.Time, points int) sim.Session {
	at := start.UnixMilli()
	s := sim.Session{Session: car.Session{Start: at, ID: 7, Outside: 3.5, Lat: 56.171864, Lon: 3.2, SoC: 0.5}}
	for range points {
		s.Curve = append(s.Curve, car.ChargePoint{At: at, Energy: -15.3, Power: -11e3, SoC: 0.3})
		at += 5000
	}
	s.Energy, s.End, s.Duration = 15.3*float64(points), at, at-s.Start
	return s
}

func take(points iter.Seq[car.Point], n int) (some []car.Point) {
	for p := range points {
		if some = append(some, p); len(some) == n {
			break
		}
	}
	return some
}
