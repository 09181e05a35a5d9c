package sim_test

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/wheelhouse-mqtt/wheelhouse/carstats/sim"
)

func TestJavaFloat(t *testing.T) {
	tests := []struct {
		name string
		in   float32
		want string
	}{
		{"zero", 0, "0.0"},
		{"minus zero", float32(math.Copysign(0, -1)), "-0.0"},
		{"whole", 16, "16.0"},
		{"fraction", 0.81, "0.81"},
		{"last plain", 9999999, "9999999.0"},
		{"first with exponent", 1e7, "1.0E7"},
		{"85 kW", -8.5e7, "-8.5E7"},
		{"24 kW", 2.4187e7, "2.4187E7"},
		{"smallest plain", 1e-3, "0.001"},
		{"below that", 9e-4, "9.0E-4"},
		{"two digits exponent", 1.5e-20, "1.5E-20"},
		{"largest", math.MaxFloat32, "3.4028235E38"},
		{"smallest has two digits", math.SmallestNonzeroFloat32, "1.4E-45"},
		{"0.85 kW", 850000, "850000.0"},
		{"coordinate", 56.102844, "56.102844"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := sim.JavaFloat(tt.in); got != tt.want {
				t.Errorf("JavaFloat(%g) = %s, want %s", tt.in, got, tt.want)
			}
		})
	}
}

func TestJavaDouble(t *testing.T) {
	for in, want := range map[float64]string{
		48752.06043960744: "48752.06043960744",
		0:                 "0.0",
		1e7:               "1.0E7",
		1e21:              "1.0E21",
		-0.0001234:        "-1.234E-4",
		5e-324:            "4.9E-324",
	} {
		if got := sim.JavaDouble(in); got != want {
			t.Errorf("JavaDouble(%g) = %s, want %s", in, got, want)
		}
	}
}

// A float reads back as itself, has the form that Java documents, and no digit
// more than it needs.
func TestJavaFloatReadsBack(t *testing.T) {
	plain := regexp.MustCompile(`^-?(0|[1-9]\d{0,6})\.\d+$`)
	scientific := regexp.MustCompile(`^-?[1-9]\.\d+E(-?[1-9]\d?)$`)
	rapid.Check(t, func(t *rapid.T) {
		x := math.Float32frombits(rapid.Uint32().Draw(t, "bits"))
		if x != x || math.IsInf(float64(x), 0) {
			t.Skip("no number")
		}
		s := sim.JavaFloat(x)
		back, err := strconv.ParseFloat(s, 32)
		if err != nil || math.Float32bits(float32(back)) != math.Float32bits(x) {
			t.Fatalf("%g became %s", x, s)
		}
		form := scientific
		if size := math.Abs(float64(x)); size == 0 || size >= 1e-3 && size < 1e7 {
			form = plain
		}
		if !form.MatchString(s) {
			t.Fatalf("%g became %s, which is not Java's form", x, s)
		}
		if need := digits(strconv.FormatFloat(float64(x), 'e', -1, 32)); digits(s) > max(need, 2) {
			t.Fatalf("%g became %s, %d digits would do", x, s, need)
		}
	})
}

// digits counts the significant digits of a number's text.
func digits(s string) int {
	s, _, _ = strings.Cut(strings.ToLower(s), "e")
	s = strings.Trim(strings.TrimSuffix(strings.Replace(s, ".", "", 1), "-"), "-0")
	return len(s)
}
