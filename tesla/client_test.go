package tesla_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

const (
	nightjar = "5YJ3E1EA0PF000001"
	wagtail  = "7SAYGDEE0PF000002"
)

// wire is Tesla without a network: a function that answers.
type wire func(*http.Request) (*http.Response, error)

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) { return w(r) }

// reply makes an answer.
func reply(status int, body string, header ...string) *http.Response {
	r := &http.Response{StatusCode: status, Header: make(http.Header)}
	r.Body = io.NopCloser(strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// book is a ledger in memory.
type book struct {
	mu   sync.Mutex
	rows map[tesla.Spent]int64
	fail error
}

func (b *book) Spend(ctx context.Context, one tesla.Spent) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := errors.Join(b.fail, ctx.Err()); err != nil {
		return err
	}
	if b.rows == nil {
		b.rows = make(map[tesla.Spent]int64)
	}
	calls := one.Calls
	one.Calls = 0
	b.rows[one] += calls
	return nil
}

func (b *book) Spending(_ context.Context, month string) ([]tesla.Spent, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []tesla.Spent
	for one, calls := range b.rows {
		if one.Month == month {
			one.Calls = calls
			all = append(all, one)
		}
	}
	return all, b.fail
}

func newMeter(t testing.TB, ledger tesla.Ledger, budget tesla.Budget, now func() time.Time) *tesla.Meter {
	t.Helper()
	m, err := tesla.NewMeter(t.Context(), ledger, budget, now)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// over makes a client that speaks to w; change may change its options.
func over(t testing.TB, w wire, change ...func(*tesla.ClientOptions)) *tesla.Client {
	t.Helper()
	o := tesla.ClientOptions{
		Hosts: tesla.DefaultHosts(),
		HTTP:  &http.Client{Transport: w},
		Token: func(context.Context, tesla.Identity) (string, error) { return "invented", nil },
		Meter: newMeter(t, &book{}, tesla.DefaultBudget(), time.Now),
		Agent: "wheelhouse/test",
	}
	for _, f := range change {
		f(&o)
	}
	return tesla.NewClient(o)
}

// with makes a client that is always answered the same.
func with(t testing.TB, status int, body string, header ...string) *tesla.Client {
	t.Helper()
	return over(t, func(*http.Request) (*http.Response, error) { return reply(status, body, header...), nil })
}

func example(t testing.TB, name string) string {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// rows reads a table of the fixtures, each row by the names of its columns.
func rows(t testing.TB, name string) []map[string]string {
	t.Helper()
	all, err := csv.NewReader(bytes.NewReader([]byte(example(t, name)))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var table []map[string]string
	for _, line := range all[1:] {
		row := make(map[string]string)
		for i, column := range all[0] {
			row[column] = line[i]
		}
		table = append(table, row)
	}
	return table
}
