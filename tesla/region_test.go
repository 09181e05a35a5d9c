package tesla_test

import (
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

// TestRegionOfToken holds the rule: the audience of the unit, else the first, else
// what the refresh token begins with, else North America. Both alphabets of base64
// are read, with and without padding.
func TestRegionOfToken(t *testing.T) {
	const na, eu, cn = `"https://fleet-api.prd.na.vn.cloud.tesla.com"`,
		`"https://fleet-api.prd.eu.vn.cloud.tesla.com"`, `"https://fleet-api.prd.cn.vn.cloud.tesla.cn"`
	for name, tt := range map[string]struct {
		claims, refresh string
		want            tesla.Region
	}{
		"unit":       {`{"ou_code":"EU","aud":[` + na + `,` + eu + `]}`, "", tesla.Europe},
		"unit China": {`{"ou_code":"CN","aud":[` + cn + `]}`, "", tesla.China},
		"unit elsewhere": {`{"ou_code":"EU","aud":["https://auth.tesla.com",` + na + `]}`, "EU_x",
			tesla.NorthAmerica},
		"other host":    {`{"ou_code":"EU","aud":["https://fleet-api.test.eu.example.com"]}`, "", tesla.Europe},
		"no unit":       {`{"aud":["https://auth.tesla.com",` + eu + `,` + na + `]}`, "", tesla.Europe},
		"one audience":  {`{"aud":` + eu + `}`, "", tesla.Europe},
		"unit only":     {`{"ou_code":"EU"}`, "", tesla.Europe},
		"refresh token": {`{}`, "EU_x", tesla.Europe},
		"nothing":       {`{}`, "x", tesla.NorthAmerica},
		"odd types":     {`{"ou_code":7,"aud":7,"scp":{}}`, "EU_x", tesla.Europe},
		"odd letters":   {`{"sub":"???>>>~~~ÿÿ","ou_code":"EU","aud":[` + eu + `]}`, "", tesla.Europe},
	} {
		for _, alphabet := range []*base64.Encoding{base64.RawURLEncoding, base64.URLEncoding,
			base64.RawStdEncoding, base64.StdEncoding} {
			access := "e30." + alphabet.EncodeToString([]byte(tt.claims)) + ".x"
			h := newHouse()
			a := h.start(t)
			h.refuse = says(200, fmt.Sprintf(`{"access_token":%q,"refresh_token":%q}`, access, tt.refresh))
			if err := a.LoginWithRefreshToken(t.Context(), "old"); err != nil {
				t.Fatal(err)
			}
			if a.Region() != tt.want {
				t.Errorf("%s: region %s", name, a.Region())
			}
		}
	}
}

func TestMoved(t *testing.T) {
	h, a := signedIn(t)
	if a.Region() != tesla.Europe {
		t.Fatal(a.Region())
	}
	if err := a.Moved(t.Context(), tesla.NorthAmerica); err != nil || a.Region() != tesla.NorthAmerica {
		t.Fatal(a.Region(), err)
	}
	h.pass(7 * time.Hour)
	h.check(t, a)
	if b := h.start(t); a.Region() != tesla.NorthAmerica || b.Region() != tesla.NorthAmerica {
		t.Fatal("a refresh, or a start, forgets where the account lives")
	}
	if err := a.Moved(t.Context(), tesla.Europe); err != nil {
		t.Fatal("it may come back some day:", err)
	}
	err := a.Moved(t.Context(), tesla.NorthAmerica)
	if err == nil || a.State() != tesla.RegionError {
		t.Fatalf("to and fro: %s, %v", a.State(), err)
	}
	_, a = signedIn(t)
	if err := a.Moved(t.Context(), "moon"); err == nil || a.State() != tesla.RegionError {
		t.Fatalf("to the moon: %s, %v", a.State(), err)
	}
}
