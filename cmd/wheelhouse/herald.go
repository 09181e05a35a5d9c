package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
	"github.com/wheelhouse-mqtt/wheelhouse/discovery"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/mqtt"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
)

// herald runs the discovery announcer: it owns it with one goroutine, and does
// what its steps ask for.
type herald struct {
	announcer *discovery.Announcer
	client    *mqtt.Client
	store     *store.Store
	deleted   []string        // discovery topics that the user emptied
	waiting   []chan struct{} // who waits in settled
	calls     chan func(now time.Time) discovery.Step
	log       zerolog.Logger
}

// mailbox is how many calls may wait: Home Assistant answers a deletion with a
// message per entity.
const mailbox = 1024

func newHerald(
	ctx context.Context, cfg discovery.Config, s *store.Store, log zerolog.Logger,
) (*herald, error) {
	h := &herald{store: s, calls: make(chan func(time.Time) discovery.Step, mailbox), log: log}
	saved, _, err := s.Setting(ctx, settingDeleted)
	if err != nil {
		return nil, err
	}
	if saved != "" {
		if err := json.Unmarshal([]byte(saved), &h.deleted); err != nil {
			return nil, err
		}
	}
	h.announcer = discovery.New(cfg, h.deleted, rand.Float64)
	return h, nil
}

// announce, withdraw, republish, up and heard tell the announcer. They wait only
// while the mailbox is full.
func (h *herald) announce(d car.Device) {
	h.calls <- func(now time.Time) discovery.Step { return h.announcer.Announce(d, now) }
}

func (h *herald) withdraw(id car.ID) {
	h.calls <- func(now time.Time) discovery.Step { return h.announcer.Remove(id, now) }
}

func (h *herald) republish(id car.ID) {
	h.calls <- func(now time.Time) discovery.Step { return h.announcer.Republish(id, now) }
}

func (h *herald) up() { h.calls <- h.announcer.Up }

func (h *herald) down() {
	h.calls <- func(time.Time) discovery.Step { h.announcer.Down(); return discovery.Step{} }
}

func (h *herald) heard(m mqtt.Inbound) {
	h.calls <- func(now time.Time) discovery.Step {
		return h.announcer.Heard(m.Topic, m.Payload, m.Retained, now)
	}
}

// settled waits until the broker has been told everything. It waits for a broker
// that is away.
func (h *herald) settled(ctx context.Context) error {
	done := make(chan struct{})
	h.calls <- func(time.Time) discovery.Step {
		h.waiting = append(h.waiting, done)
		return discovery.Step{}
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *herald) tellSettled() {
	if !h.announcer.Settled() {
		return
	}
	for _, done := range h.waiting {
		close(done)
	}
	h.waiting = nil
}

// Run works until ctx ends.
func (h *herald) Run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		h.tellSettled()
		if next := h.announcer.Next(); !next.IsZero() {
			timer.Reset(time.Until(next))
		}
		select {
		case call := <-h.calls:
			h.do(ctx, call(time.Now()))
		case now := <-timer.C:
			h.do(ctx, h.announcer.Tick(now))
		case <-ctx.Done():
			return nil
		}
	}
}

func (h *herald) do(ctx context.Context, s discovery.Step) {
	for _, err := range s.Errors {
		h.log.Error().Err(err).Msg("discovery")
	}
	for i := range s.Messages {
		s.Messages[i].Once = true // or a device that the user deleted would come back
	}
	h.client.Publish(s.Messages...)
	if s.Resend {
		h.client.Resend()
	}
	if len(s.Deleted)+len(s.Restored) > 0 {
		h.remember(ctx, s)
	}
}

// remember keeps which devices the user has deleted in Home Assistant.
func (h *herald) remember(ctx context.Context, s discovery.Step) {
	if len(s.Deleted) > 0 {
		h.log.Info().Strs("topics", s.Deleted).
			Msg("deleted in Home Assistant: not announced again until wheelhouse republish")
	}
	h.deleted = slices.DeleteFunc(append(h.deleted, s.Deleted...), func(topic string) bool {
		return slices.Contains(s.Restored, topic)
	})
	saved, err := json.Marshal(h.deleted)
	if err == nil {
		err = h.store.SetSetting(ctx, settingDeleted, string(saved))
	}
	if err != nil {
		h.log.Error().Err(err).Msg("what was deleted in Home Assistant cannot be remembered")
	}
}
