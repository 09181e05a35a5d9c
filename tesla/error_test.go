package tesla_test

import (
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

// means is what each failure of the fixtures has to be taken for, and a word of the
// advice that people get.
var means = map[string]struct {
	code    string
	refused car.Code
	advice  string
}{
	"400_invalid_command":            {"invalid_request", car.Invalid, "parameters"},
	"400_invalid_field":              {"invalid_request", car.Invalid, "parameters"},
	"400_invalid_request":            {"invalid_request", car.Invalid, "parameters"},
	"400_token_invalid_auth_code":    {"invalid_auth_code", car.Expired, "wheelhouse tesla login"},
	"400_token_invalid_redirect_url": {"invalid_redirect_url", car.Invalid, "developer.tesla.com"},
	"400_token_unauthorized_client":  {"unauthorized_client", car.Forbidden, "tesla.client_id"},
	"401_empty":                      {"token_expired", car.Forbidden, "wheelhouse tesla login"},
	"401_token_expired":              {"token_expired", car.Forbidden, "wheelhouse tesla login"},
	"401_invalid_bearer_token":       {"token_expired", car.Forbidden, "wheelhouse tesla login"},
	"401_mobile_access_disabled":     {"mobile_access_disabled", car.Forbidden, "Allow Mobile Access"},
	"401_login_required":             {"login_required", car.Forbidden, "wheelhouse tesla login"},
	"401_login_required_expired":     {"login_required", car.Forbidden, "wheelhouse tesla login"},
	"401_login_required_revoked":     {"login_required", car.Forbidden, "wheelhouse tesla login"},
	"402_payment_required":           {"exceeded_limit", car.OverBudget, "raise the limit"},
	"403_missing_scopes":             {"missing_scope", car.Forbidden, "vehicle_device_data"},
	"403_vcp_required":               {"signing_required", car.Rejected, "wheelhouse tesla pair"},
	"403_exceeded_limit":             {"exceeded_limit", car.OverBudget, "raise the limit"},
	"403_unsupported_vehicle":        {"unsupported_vehicle", car.Rejected, "cannot do this"},
	"403_proxy_no_token":             {"login_required", car.Forbidden, "wheelhouse tesla login"},
	"404_not_found":                  {"not_found", car.NoSuch, "still in the account"},
	"404_proxy_vin":                  {"not_found", car.NoSuch, "VIN"},
	"405_in_service":                 {"in_service", car.Offline, "an hour"},
	"405_proxy_method":               {"program_error", car.Internal, "report"},
	"406_not_acceptable":             {"program_error", car.Internal, "report"},
	"408_vehicle_unavailable":        {"asleep", car.Asleep, "when it is awake"},
	"408_vehicle_unavailable_txid":   {"asleep", car.Asleep, "when it is awake"},
	"408_upstream_timeout":           {"car_slow", car.Timeout, "in a minute"},
	"412_not_registered":             {"not_registered", car.Forbidden, "wheelhouse tesla register"},
	"421_wrong_region":               {"wrong_region", car.Rejected, "another region"},
	"422_invalid_resource":           {"already_taken", car.Rejected, "nothing is to be done"},
	"422_signed_command_unsupported": {"no_protocol", car.Rejected, "plain ones"},
	"423_locked":                     {"account_locked", car.Forbidden, "support"},
	"424_public_key_fetch":           {"public_key_unreachable", car.Rejected, "serve-key"},
	"429_rate_limited":               {"rate_limited", car.Limited, "wait"},
	"451_legal":                      {"legal", car.Forbidden, "privacy settings"},
	"500_internal":                   {"server_error", car.Internal, "tried again"},
	"500_proxy_deadline":             {"car_slow", car.Timeout, "in a minute"},
	"500_proxy_asleep":               {"asleep", car.Asleep, "when it is awake"},
	"500_proxy_key_not_paired":       {"key_not_paired", car.Forbidden, "wheelhouse tesla pair"},
	"503_vehicle_not_available":      {"asleep", car.Offline, "when it is awake"},
	"504_gateway_timeout":            {"server_error", car.Internal, "tried again"},
	"540_device_unexpected":          {"car_confused", car.Internal, "later"},
}

// failures are the error fixtures, with their headers.
func failures(t testing.TB) map[string]*failing {
	all := make(map[string]*failing)
	for _, row := range rows(t, "errors/index.csv") {
		f := &failing{body: example(t, row["file"])}
		f.status, _ = strconv.Atoi(row["status"])
		headers := strings.TrimSuffix(row["headers"], " (some answers)")
		for _, line := range strings.Split(headers, "; ") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				f.header = append(f.header, name, value)
			}
		}
		name := filepath.Base(row["file"])
		all[strings.TrimSuffix(name, filepath.Ext(name))] = f
	}
	return all
}

type failing struct {
	status int
	body   string
	header []string
}

// TestEveryFailure holds that all known failures have a meaning and say what to do.
func TestEveryFailure(t *testing.T) {
	all := failures(t)
	if len(all) != len(means) {
		t.Errorf("%d failures, %d meanings", len(all), len(means))
	}
	for name, f := range all {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { check(t, f, name) }) })
	}
}

func check(t *testing.T, f *failing, name string) {
	want, ok := means[name]
	if !ok {
		t.Fatal("has no meaning")
	}
	_, err := with(t, f.status, f.body, f.header...).VehicleData(t.Context(), nightjar)
	var e *tesla.Error
	if !errors.As(err, &e) {
		t.Fatalf("is %v", err)
	}
	if e.Status != f.status || e.Code != want.code {
		t.Errorf("is %d %s", e.Status, e.Code)
	}
	if code := car.CodeOf(tesla.RefusalOf(err)); code != want.refused {
		t.Errorf("is refused as %s", code)
	}
	if !strings.Contains(err.Error(), want.advice) {
		t.Errorf("says %q", err)
	}
	if strings.Contains(name, "txid") != (e.TxID != "") && !strings.HasPrefix(name, "403") {
		t.Errorf("has the number %q", e.TxID)
	}
}

func TestErrorKeepsSecrets(t *testing.T) {
	const jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJpbnZlbnRlZCJ9.c2lnbmF0dXJl"
	body := `{"error":"no ` + nightjar + ` for ` + jwt + ` at 52.123456, 4.654321","error_description":"` +
		strings.Repeat("long ", 200) + `"}`
	_, err := with(t, 404, body).Vehicle(t.Context(), nightjar)
	for _, secret := range []string{nightjar, jwt, "52.12", "4.65"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q is in %q", secret, err)
		}
	}
	if !strings.Contains(err.Error(), "…0001") || len(err.Error()) > 400 {
		t.Errorf("says %q", err)
	}
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			header, body string
			want         time.Duration
		}{
			{"42", "", 42 * time.Second},
			{"", `{"error":"limit","error_description":"Retry in 7 seconds"}`, 7 * time.Second},
			{time.Now().Add(30 * time.Second).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"), "", 30 * time.Second},
			{"", "", time.Minute},
			{"nonsense", "", time.Minute},
			{"-5", "", time.Second},
			{"999999", "", time.Hour},
		} {
			_, err := with(t, 429, test.body, "Retry-After", test.header).Vehicle(t.Context(), nightjar)
			var e *tesla.Error
			if !errors.As(err, &e) || e.RetryAfter != test.want {
				t.Errorf("%q %q: %v", test.header, test.body, err)
			}
		}
	})
}
