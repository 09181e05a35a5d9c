//go:build homeassistant

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// socket is a session of Home Assistant's WebSocket interface
// (developers.home-assistant.io/docs/api/websocket).
type socket struct {
	conn *websocket.Conn
	done chan struct{} // closed when the reader has ended

	mu      sync.Mutex
	last    int
	waiting map[int]chan answer
	changes []change
}

// answer is a result as it comes.
type answer struct {
	ID      int             `json:"id"`
	Type    string          `json:"type"`
	Success bool            `json:"success"`
	Result  json.RawMessage `json:"result"`
	Error   struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	Event struct {
		Data struct {
			Entity string `json:"entity_id"`
			New    *state `json:"new_state"`
		} `json:"data"`
	} `json:"event"`
}

// change is a state that an entity took. An entity that went away has none.
type change struct {
	at     time.Time
	entity string
	state  string
}

// callWithin is how long a command may take.
const callWithin = 20 * time.Second

// connect opens a session with an access token.
func connect(address, token string) (*socket, error) {
	conn, _, err := websocket.DefaultDialer.Dial("ws://"+address+"/api/websocket", nil)
	if err != nil {
		return nil, fmt.Errorf("websocket: %w", err)
	}
	s := &socket{conn: conn, done: make(chan struct{}), waiting: map[int]chan answer{}}
	var greeting, verdict answer
	err = errors.Join(conn.ReadJSON(&greeting),
		conn.WriteJSON(map[string]any{"type": "auth", "access_token": token}),
		conn.ReadJSON(&verdict))
	if err == nil && verdict.Type != "auth_ok" {
		err = errors.New(verdict.Type)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("websocket: %w", err)
	}
	go s.read()
	return s, nil
}

func (s *socket) read() {
	defer close(s.done)
	for {
		var a answer
		if err := s.conn.ReadJSON(&a); err != nil {
			return
		}
		s.mu.Lock()
		switch c := s.waiting[a.ID]; {
		case a.Type == "event":
			s.note(a)
		case c != nil:
			c <- a
			delete(s.waiting, a.ID)
		}
		s.mu.Unlock()
	}
}

func (s *socket) note(a answer) {
	c := change{at: time.Now(), entity: a.Event.Data.Entity}
	if a.Event.Data.New != nil {
		c.state = a.Event.Data.New.State
	}
	s.changes = append(s.changes, c)
}

// call sends a command and decodes its result into one that is not nil.
func (s *socket) call(result any, kind string, fields map[string]any) error {
	command := map[string]any{}
	maps.Copy(command, fields)
	c := make(chan answer, 1)
	s.mu.Lock()
	s.last++
	command["id"], command["type"] = s.last, kind
	s.waiting[s.last] = c
	err := s.conn.WriteJSON(command)
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	select {
	case a := <-c:
		if !a.Success {
			return fmt.Errorf("%s: %s: %s", kind, a.Error.Code, a.Error.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(a.Result, result)
	case <-s.done:
		return fmt.Errorf("%s: the connection is gone", kind)
	case <-time.After(callWithin):
		return fmt.Errorf("%s: no answer in %v", kind, callWithin)
	}
}

// watch makes the session take note of every state from now on.
func (s *socket) watch() error {
	return s.call(nil, "subscribe_events", map[string]any{"event_type": "state_changed"})
}

// seen are the states that were noted, oldest first.
func (s *socket) seen() []change {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.changes)
}

func (s *socket) close() {
	s.conn.Close()
	<-s.done
}
