package mqtt

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/rs/zerolog"
)

// keeping keeps the retained messages of the broker's clients over restarts.
// The values that the program's own client publishes are not kept: they are computed
// from the store and published again at each start, and keeping them would write
// every change of every value to the disk a second time, which wears out SD cards.
type keeping struct {
	keeper Keeper // nil: nothing is kept
	topics *mochi.TopicsIndex
	log    zerolog.Logger

	seed    maphash.Seed
	stripes [64]stripe // a topic's messages are stored one after the other, topics together
}

type stripe struct {
	sync.Mutex
	kept map[string]bool // topics the keeper holds
}

func newKeeping(k Keeper, t *mochi.TopicsIndex, log zerolog.Logger) *keeping {
	s := &keeping{keeper: k, topics: t, log: log, seed: maphash.MakeSeed()}
	for i := range s.stripes {
		s.stripes[i].kept = make(map[string]bool)
	}
	return s
}

func (k *keeping) stripe(topic string) *stripe {
	return &k.stripes[maphash.String(k.seed, topic)%uint64(len(k.stripes))]
}

// retained stores what a topic holds now. It reads that from the broker instead
// of being told: of two clients that write at once the broker's order counts.
func (k *keeping) retained(topic string, computed bool) error {
	if k.keeper == nil {
		return nil
	}
	s := k.stripe(topic)
	s.Lock()
	defer s.Unlock()
	pk, there := k.topics.Retained.Get(topic)
	if !there || computed {
		return k.remove(s, topic)
	}
	data, err := json.Marshal(pack(pk))
	if err != nil {
		return err
	}
	s.kept[topic] = true
	return k.keeper.Keep(topic, data)
}

// forget removes a topic.
func (k *keeping) forget(topic string) error {
	if k.keeper == nil {
		return nil
	}
	s := k.stripe(topic)
	s.Lock()
	defer s.Unlock()
	return k.remove(s, topic)
}

func (k *keeping) remove(s *stripe, topic string) error {
	if !s.kept[topic] {
		return nil
	}
	if err := k.keeper.Keep(topic, nil); err != nil {
		return err
	}
	delete(s.kept, topic)
	return nil
}

// load gives the broker what was kept.
func (k *keeping) load(now time.Time) error {
	if k.keeper == nil {
		return nil
	}
	all, err := k.keeper.Load()
	if err != nil {
		return fmt.Errorf("the embedded broker's retained messages: %w", err)
	}
	for topic, data := range all {
		k.stripe(topic).kept[topic] = true
		var m keptMessage
		if err := json.Unmarshal(data, &m); err != nil {
			k.log.Error().Err(err).Str("topic", topic).Msg("a retained message is damaged: left out")
			continue
		}
		if m.Expiry > 0 && m.Expiry <= now.Unix() {
			if err := k.forget(topic); err != nil {
				return err
			}
			continue
		}
		k.topics.RetainMessage(m.packet(topic))
	}
	return nil
}

// keptMessage is a retained message as it is stored. Names are for ever.
type keptMessage struct {
	Payload     []byte      `json:"payload"`
	QoS         byte        `json:"qos,omitempty"`
	Created     int64       `json:"created"`          // Unix time
	Expiry      int64       `json:"expiry,omitempty"` // Unix time; 0: never
	ContentType string      `json:"content_type,omitempty"`
	Format      *byte       `json:"format,omitempty"`
	Response    string      `json:"response_topic,omitempty"`
	Correlation []byte      `json:"correlation,omitempty"`
	User        [][2]string `json:"user,omitempty"`
}

func pack(pk packets.Packet) keptMessage {
	m := keptMessage{
		Payload: pk.Payload, QoS: pk.FixedHeader.Qos, Created: pk.Created, Expiry: pk.Expiry,
		ContentType: pk.Properties.ContentType, Response: pk.Properties.ResponseTopic,
		Correlation: pk.Properties.CorrelationData,
	}
	if pk.Properties.PayloadFormatFlag {
		m.Format = &pk.Properties.PayloadFormat
	}
	for _, u := range pk.Properties.User {
		m.User = append(m.User, [2]string{u.Key, u.Val})
	}
	return m
}

func (m keptMessage) packet(topic string) packets.Packet {
	pk := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Retain: true, Qos: m.QoS},
		TopicName:   topic,
		Payload:     m.Payload,
		Created:     m.Created,
		Expiry:      m.Expiry,
		// mochi lets messages expire only if they came by version 5.
		ProtocolVersion: 5,
		Properties: packets.Properties{
			ContentType: m.ContentType, ResponseTopic: m.Response, CorrelationData: m.Correlation,
		},
	}
	if m.Format != nil {
		pk.Properties.PayloadFormat, pk.Properties.PayloadFormatFlag = *m.Format, true
	}
	for _, u := range m.User {
		pk.Properties.User = append(pk.Properties.User, packets.UserProperty{Key: u[0], Val: u[1]})
	}
	return pk
}
