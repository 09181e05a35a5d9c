package store

import (
	"context"
	"database/sql"
	"sync"
)

// Retained keeps the broker's retained messages, in a file of their own: broker
// and store never wait for each other. Its methods may be used by several
// goroutines.
type Retained struct {
	path string
	db   *sql.DB

	commit sync.Mutex // held by the group being committed
	mu     sync.Mutex // guards next
	next   *group     // takes what comes until it is its turn to be committed
}

// group is what is committed together: one flush to the disk serves everybody
// who came while the one before was under way.
type group struct {
	messages map[string][]byte
	once     sync.Once
	err      error
}

// OpenRetained opens the file at path, or makes it.
func OpenRetained(ctx context.Context, path string) (*Retained, error) {
	db, err := openWriter(ctx, path)
	if err != nil {
		return nil, err
	}
	_, err = db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS retained (
		topic TEXT PRIMARY KEY, message BLOB NOT NULL) WITHOUT ROWID`)
	if err != nil {
		_ = db.Close()
		return nil, explain(path, err)
	}
	return &Retained{path: path, db: db, next: newGroup()}, nil
}

func newGroup() *group { return &group{messages: map[string][]byte{}} }

// Load returns all messages by topic.
func (r *Retained) Load() (map[string][]byte, error) {
	rows, err := r.db.Query(`SELECT topic, message FROM retained`)
	if err != nil {
		return nil, explain(r.path, err)
	}
	defer rows.Close()
	messages := map[string][]byte{}
	for rows.Next() {
		var topic string
		var message []byte
		if err := rows.Scan(&topic, &message); err != nil {
			return nil, explain(r.path, err)
		}
		messages[topic] = message
	}
	return messages, explain(r.path, rows.Err())
}

// Keep keeps the message of a topic, or removes it if data is nil. It returns
// when that is durable. Of two calls for one topic the later wins.
func (r *Retained) Keep(topic string, data []byte) error {
	r.mu.Lock()
	g := r.next
	g.messages[topic] = data
	r.mu.Unlock()
	g.once.Do(func() { g.err = r.save(g) })
	return g.err
}

// save waits for the group before, closes g to newcomers and commits it.
func (r *Retained) save(g *group) error {
	r.commit.Lock()
	defer r.commit.Unlock()
	r.mu.Lock()
	r.next = newGroup()
	r.mu.Unlock()
	return explain(r.path, r.write(g.messages))
}

func (r *Retained) write(messages map[string][]byte) error {
	tx, err := r.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit it does nothing
	for topic, data := range messages {
		if data == nil {
			_, err = tx.Exec(`DELETE FROM retained WHERE topic = $1`, topic)
		} else {
			_, err = tx.Exec(`INSERT INTO retained (topic, message) VALUES ($1, $2)
				ON CONFLICT (topic) DO UPDATE SET message = excluded.message`, topic, data)
		}
		if err != nil {
			return err
		}
	}
	return tx.Commit()
}

// Close waits for the commit under way and closes the file.
func (r *Retained) Close() error {
	r.commit.Lock()
	defer r.commit.Unlock()
	return explain(r.path, r.db.Close())
}
