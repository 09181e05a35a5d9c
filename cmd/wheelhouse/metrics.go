package main

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/carstats"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/mqtt"
	"github.com/wheelhouse-mqtt/wheelhouse/tesla"
)

// metrics are what Prometheus is told. No label names a car: who reads metrics
// need not know who drives.
type metrics struct {
	registry *prometheus.Registry
	posts    *prometheus.CounterVec
	records  *prometheus.CounterVec
	skipped  prometheus.Counter
	stored   prometheus.Histogram
	latency  prometheus.Histogram
	calls    *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		posts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wheelhouse_webhook_posts_total", Help: "Webhook requests by HTTP status.",
		}, []string{"status"}),
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wheelhouse_records_total",
			Help: "Driving points, charging points and sessions by what became of them: new, changed, duplicate, apart.",
		}, []string{"result"}),
		skipped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "wheelhouse_skipped_items_total", Help: "Wrong items in bodies that were left out.",
		}),
		stored: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "wheelhouse_store_seconds", Help: "From a decoded batch to its durable commit.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "wheelhouse_mqtt_publish_seconds", Help: "From sending a message to the broker's acknowledgement.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16),
		}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wheelhouse_tesla_calls_total", Help: "Calls of Tesla's API by endpoint, category and HTTP status; 0: no answer.",
		}, []string{"endpoint", "category", "status"}),
	}
	m.registry.MustRegister(m.posts, m.records, m.skipped, m.stored, m.latency, m.calls,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// watch adds what the parts of the house say of themselves when asked.
func (m *metrics) watch(h *house) {
	client := func(value func(mqtt.Stats) float64) func() float64 {
		return func() float64 { return value(h.client.Stats()) }
	}
	for name, g := range map[string]struct {
		help  string
		value func() float64
	}{
		"wheelhouse_mqtt_connected":        {"1 while the broker is connected.", client(connected)},
		"wheelhouse_mqtt_topics":           {"Retained topics known.", client(func(s mqtt.Stats) float64 { return float64(s.Topics) })},
		"wheelhouse_mqtt_waiting":          {"Messages that the broker has not acknowledged.", client(func(s mqtt.Stats) float64 { return float64(s.Dirty) })},
		"wheelhouse_mqtt_in_flight":        {"Messages on their way to the broker.", client(func(s mqtt.Stats) float64 { return float64(s.InFlight) })},
		"wheelhouse_mqtt_published_total":  {"Messages acknowledged by the broker.", client(func(s mqtt.Stats) float64 { return float64(s.Published) })},
		"wheelhouse_mqtt_dropped_total":    {"Events dropped because the broker was away too long.", client(func(s mqtt.Stats) float64 { return float64(s.Dropped) })},
		"wheelhouse_mqtt_reconnects_total": {"Connections after the first.", client(func(s mqtt.Stats) float64 { return float64(s.Reconnects) })},
		"wheelhouse_commits_total":         {"Durable commits.", func() float64 { return float64(h.bridge.Counts().Commits) }},
		"wheelhouse_broker_clients":        {"Clients of the embedded broker.", func() float64 { return float64(h.brokerStats().Clients) }},
		"wheelhouse_broker_retained":       {"Retained messages of the embedded broker.", func() float64 { return float64(h.brokerStats().Retained) }},
		"wheelhouse_broker_dropped_total":  {"Messages that slow clients of the embedded broker lost.", func() float64 { return float64(h.brokerStats().Dropped) }},
	} {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: g.help}, g.value))
	}
}

func connected(s mqtt.Stats) float64 {
	if s.Connected {
		return 1
	}
	return 0
}

// brokerStats are zero without an embedded broker.
func (h *house) brokerStats() mqtt.BrokerStats {
	if h.broker == nil {
		return mqtt.BrokerStats{}
	}
	return h.broker.Stats()
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) answered(status int) { m.posts.WithLabelValues(strconv.Itoa(status)).Inc() }

func (m *metrics) asked(endpoint string, of tesla.Category, status int, _ time.Duration) {
	m.calls.WithLabelValues(endpoint, string(of), strconv.Itoa(status)).Inc()
}

func (m *metrics) published(took time.Duration) { m.latency.Observe(took.Seconds()) }

// taking counts what becomes of batches on their way to the store.
func (m *metrics) taking(take carstats.Take) carstats.Take {
	results := func(result string) prometheus.Counter { return m.records.WithLabelValues(result) }
	fresh, changed, known, apart := results("new"), results("changed"), results("duplicate"), results("apart")
	return func(ctx context.Context, b car.Batch) (car.Receipt, error) {
		start := time.Now()
		r, err := take(ctx, b)
		m.stored.Observe(time.Since(start).Seconds())
		m.skipped.Add(float64(b.Request.Skipped))
		fresh.Add(float64(r.New))
		changed.Add(float64(r.Changed))
		known.Add(float64(r.Known))
		apart.Add(float64(r.Apart))
		return r, err
	}
}
