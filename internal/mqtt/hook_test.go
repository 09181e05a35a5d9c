package mqtt

import (
	"bytes"
	"strings"
	"testing"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/rs/zerolog"
)

// TestStaleWill: a connection that was taken over has no last words any more,
// however late it ends; the new one has.
func TestStaleWill(t *testing.T) {
	h := &hook{access: &access{}, log: zerolog.Nop()}
	client := func() *mochi.Client {
		cl := &mochi.Client{ID: "home/x"}
		cl.Net.Listener = memory
		cl.Properties.Will = mochi.Will{Flag: 1, TopicName: "status", Retain: true, WillDelayInterval: 10}
		h.OnSessionEstablish(cl, packets.Packet{})
		return cl
	}
	first := client()
	if w, err := h.OnWill(first, first.Properties.Will); err != nil || w.TopicName != "status" {
		t.Errorf("the only connection's will: %+v", w)
	}
	second := client()
	w, err := h.OnWill(first, first.Properties.Will)
	if err != nil || w.TopicName != "" || w.Retain || first.Properties.Will.WillDelayInterval != 0 {
		t.Errorf("the old connection's will: %+v, delay %d", w, first.Properties.Will.WillDelayInterval)
	}
	h.OnDisconnect(first, nil, true)
	if w, _ := h.OnWill(second, second.Properties.Will); w.TopicName != "status" {
		t.Errorf("the new connection's will: %+v", w)
	}
	h.OnDisconnect(second, nil, true)
	if _, there := h.newest.Load("home/x"); there {
		t.Error("a client that left is remembered")
	}
}

// TestMochiLog: mochi's news go to our log, quietly, without what is nobody's
// business.
func TestMochiLog(t *testing.T) {
	var out bytes.Buffer
	log := mochiLog(zerolog.New(&out).Level(zerolog.InfoLevel)).With("listener", "tcp").WithGroup("g")
	log.Info("attached listener")
	log.Warn("error processing packet", "pk", "secret", "client", "x")
	if out.Len() > 0 {
		t.Errorf("said at info: %s", out.String())
	}
	log.Error("publish packet error", "packet", "secret", "will", "secret", "client", "x")
	s := out.String()
	if strings.Contains(s, "secret") || !strings.Contains(s, `"x"`) || !strings.Contains(s, "error") {
		t.Errorf("said: %s", s)
	}
}
