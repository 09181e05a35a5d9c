package sim_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla/sim"
)

func TestTokensAreChecked(t *testing.T) {
	w := newWorld(t, sim.Options{})
	good := w.token
	w.token = "nonsense"
	w.get("/vehicles").want(t, 401, "invalid bearer token")
	w.send("GET", "/eu/api/1/vehicles", "", nil).want(t, 401, "")
	w.token = good
	w.now = w.now.Add(8*time.Hour - time.Second)
	w.get("/vehicles").want(t, 200, nightjar)
	w.now = w.now.Add(time.Second)
	w.get("/vehicles").want(t, 401, "token expired (401)")
	w.token, _ = w.Tokens("vehicle_device_data")
	w.Revoke()
	w.get("/vehicles").want(t, 401, "invalid bearer token")
}

func TestRegions(t *testing.T) {
	w := newWorld(t, sim.Options{Region: "na"})
	w.get("/vehicles").want(t, 421, "use base URL: https://fleet-api.prd.na.vn.cloud.tesla.com,")
	w.get("/users/region").want(t, 200, `"region":"na"`)
	w.call("GET", "/na/api/1/vehicles", "").want(t, 200, nightjar)
	w.call("GET", "/cn/api/1/vehicles", "").want(t, 421, "out of region")
	w.send("GET", "/eu/status", "", nil).want(t, 200, "ok")
	w.get("/nonsense").want(t, 404, "not_found")
}

func TestScopes(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.token, _ = w.Tokens("openid")
	for _, path := range []string{"/vehicles", "/users/me", "/dx/charging/history", "/products",
		"/vehicles/" + nightjar + "/vehicle_data", "/energy_sites/1/live_status"} {
		w.get(path).want(t, 403, "Unauthorized missing scopes")
	}
	w.get("/users/region").want(t, 200, "eu")
	w.token, _ = w.Tokens("energy_device_data")
	if body := w.get("/products").want(t, 200, "energy_site_id").Body; strings.Contains(body, nightjar) {
		t.Error("cars without their scope")
	}
	config := string(mustRead(t, "fleet_telemetry_config_create_request.json"))
	w.token, _ = w.Tokens("vehicle_device_data")
	w.post("/vehicles/fleet_telemetry_config", config).want(t, 403, "missing scopes")
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.data("5YJ3E1EA0PF999999").want(t, 404, "not_found")
	w.data(bittern).want(t, 408, "offline or asleep")
	w.data(dotterel).want(t, 405, "vehicle is currently in service")
	w.data(wagtail).want(t, 408, "offline or asleep")
	w.get("/vehicles/1493000000000001").want(t, 200, nightjar)
	noType := http.Header{"Authorization": {"Bearer " + w.token}}
	w.send("POST", "/eu/api/1/vehicles/"+wagtail+"/wake_up", "", noType).want(t, 406, "not_acceptable")
	w.post("/vehicles/fleet_status", "[1").want(t, 400, "invalid_request")
	w.post("/vehicles/fleet_status", "{}").want(t, 400, "invalid_field")
	w.post("/vehicles/"+nightjar+"/command/door_lock", "{}").want(t, 403, "Vehicle Command Protocol required")
	w.Car(bittern).Set(func(s *sim.Settings) { s.Offline = false })
	w.post("/vehicles/"+bittern+"/command/door_lock", "{}").want(t, 200, `"result":false`)
	w.post("/vehicles/"+bittern+"/signed_command", "{}").want(t, 422, "does not support")
	w.Car(nightjar).Set(func(s *sim.Settings) { s.NoMobileAccess = true })
	w.data(nightjar).want(t, 401, "mobile_access_disabled")
}

func TestInvitations(t *testing.T) {
	w := newWorld(t, sim.Options{})
	path := "/vehicles/" + nightjar + "/invitations"
	first := w.post(path, "").want(t, 200, "pending")
	second := w.post(path, "")
	id, _ := first.at(t, "response", "id_s").(string)
	code, _ := second.at(t, "response", "code").(string)
	w.post(path+"/"+id+"/revoke", "").want(t, 200, "true")
	w.post(path+"/"+id+"/revoke", "").want(t, 404, "")
	w.post("/invitations/redeem", `{"code":"`+code+`"}`).want(t, 200, nightjar)
	w.post("/invitations/redeem", `{"code":"`+code+`"}`).want(t, 404, "")
	for range 4 {
		w.post(path, "").want(t, 200, "")
	}
	w.post(path, "").want(t, 400, "at most")
	if n := w.get(path+"?per_page=3&page=2").number(t, "pagination", "count"); n != 4 {
		t.Errorf("%v open", n)
	}
	w.wait(25 * time.Hour)
	w.get(path).want(t, 200, `"response":[]`)
}

// The bill counts every answer, and those below 500 for money.
func TestBill(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.data(nightjar).want(t, 200, "")
	w.data(wagtail).want(t, 408, "")
	w.get("/vehicles").want(t, 200, "")
	w.post("/vehicles/"+wagtail+"/wake_up", "").want(t, 200, "")
	w.post("/vehicles/"+nightjar+"/command/door_lock", "{}").want(t, 403, "")
	w.Fail("vehicle_data", sim.Fault{File: "500_internal"}, sim.Fault{File: "451_legal"})
	w.data(nightjar).want(t, 500, "")
	w.data(nightjar).want(t, 451, "")
	bill := w.Bill()
	if bill[sim.Data] != 3 || bill[sim.Wake] != 1 || bill[sim.State] != 1 || bill[sim.Command] != 1 {
		t.Errorf("bill %v", bill)
	}
	if n := w.Spending()[sim.Spent{sim.Data, "vehicle_data", nightjar, 500}]; n != 1 {
		t.Errorf("%d answers of 500", n)
	}
	if cost := w.Cost(); cost < 0.0269999 || cost > 0.0270001 {
		t.Errorf("%f USD", cost)
	}
	if n := w.Calls("vehicle_data", ""); n != 4 {
		t.Errorf("%d calls", n)
	}
	w.ExceedLimit(true)
	w.get("/vehicles").want(t, 403, "account disabled: EXCEEDED_LIMIT")
	w.ExceedLimit(false)
	w.ForgetBill()
	if len(w.Spending()) != 0 {
		t.Error("still on the bill")
	}
}

func TestRateLimits(t *testing.T) {
	w := newWorld(t, sim.Options{})
	for range 3 {
		w.post("/vehicles/"+wagtail+"/wake_up", "").want(t, 200, "")
		w.wait(10 * time.Second)
	}
	a := w.post("/vehicles/"+wagtail+"/wake_up", "").want(t, 429, "Retry in 30 seconds")
	if after := a.Header.Get("Retry-After"); after != "30" {
		t.Errorf("Retry-After %q", after)
	}
	w.post("/vehicles/"+nightjar+"/wake_up", "").want(t, 200, "") // another car has limits of its own
	w.wait(30 * time.Second)
	w.post("/vehicles/"+wagtail+"/wake_up", "").want(t, 200, "")
	for range 60 {
		w.data(nightjar).want(t, 200, "")
	}
	w.data(nightjar).want(t, 429, "")
}

// Every file of errors can be had by its name, with its status.
func TestFaults(t *testing.T) {
	w := newWorld(t, sim.Options{})
	index := strings.Split(strings.TrimSpace(string(mustRead(t, "errors/index.csv"))), "\n")[1:]
	for _, row := range index {
		part := strings.Split(row, ",")
		name := strings.TrimPrefix(part[0], "errors/")
		status, _ := strconv.Atoi(part[1])
		w.Fail("vehicle", sim.Fault{File: name})
		if got := w.get("/vehicles/" + nightjar); got.Status != status || got.Body != string(mustRead(t, part[0])) {
			t.Errorf("%s: %d %q", name, got.Status, got.Body)
		}
	}
	w.Fail("", sim.Fault{Status: 502, Body: "<html>", Header: http.Header{"Retry-After": {"7"}}})
	if a := w.get("/vehicles").want(t, 502, "<html>"); a.Header.Get("Retry-After") != "7" {
		t.Error("no Retry-After")
	}
	w.Fail("wake_up", sim.Fault{Cut: true, After: true})
	if a := w.post("/vehicles/"+wagtail+"/wake_up", ""); a.Status != 0 {
		t.Errorf("an answer of %d", a.Status)
	}
	w.wait(31 * time.Second)
	if s := w.Car(wagtail).Snapshot().State; s != sim.Online {
		t.Errorf("%s: the order was not carried out", s)
	}
	if w.Pending() != 0 {
		t.Errorf("%d faults are left", w.Pending())
	}
}

// A slow answer takes its time, by the clock of whoever waits.
func TestSlowAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tesla := sim.New(sim.Options{})
		tesla.Fail("status", sim.Fault{Delay: 20 * time.Second})
		client := &http.Client{Transport: tesla, Timeout: 30 * time.Second}
		begin := time.Now()
		resp, err := client.Get("http://tesla.invalid/eu/status")
		if err != nil || resp.StatusCode != 200 || time.Since(begin) != 20*time.Second {
			t.Errorf("%v %v after %v", resp, err, time.Since(begin))
		}
		tesla.Fail("status", sim.Fault{Delay: 40 * time.Second})
		if _, err := client.Get("http://tesla.invalid/eu/status"); err == nil {
			t.Error("an answer after the client gave up")
		}
	})
}

// Over a real connection, from many goroutines at once.
func TestServer(t *testing.T) {
	tesla := sim.New(sim.Options{})
	server := httptest.NewServer(tesla)
	defer server.Close()
	access, _ := tesla.Tokens(every...)
	hosts := tesla.Hosts(server.URL)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				r, _ := http.NewRequest("GET", hosts.API["eu"]+"/api/1/vehicles/"+nightjar+"/vehicle_data", nil)
				r.Header.Set("Authorization", "Bearer "+access)
				resp, err := server.Client().Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
				tesla.Car(nightjar).Snapshot()
				tesla.Bill()
			}
		})
	}
	wg.Wait()
	if n := tesla.Bill()[sim.Data]; n != 40 {
		t.Errorf("%d readings on the bill", n)
	}
	tesla.Fail("status", sim.Fault{Cut: true})
	if resp, err := http.Get(hosts.API["eu"] + "/status"); err == nil {
		t.Errorf("%s instead of a cut connection", resp.Status)
	}
}
