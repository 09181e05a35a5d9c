//go:build homeassistant

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gorilla/websocket"
)

// browser is a Chromium without a screen, spoken to in its DevTools protocol
// (chromedevtools.github.io/devtools-protocol).
type browser struct {
	process *process
	conn    *websocket.Conn
	last    int
}

// browse starts a Chromium that shows an empty page of a size.
func browse(dir string, width, height int) (*browser, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, unavailable("there is no chromium: apt install chromium")
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p, err := spawn(io.Discard, exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--hide-scrollbars",
		"--user-data-dir="+filepath.Join(dir, "chromium"), fmt.Sprintf("--window-size=%d,%d", width, height),
		"--remote-debugging-address=127.0.0.1", fmt.Sprintf("--remote-debugging-port=%d", port), "about:blank"))
	if err != nil {
		return nil, err
	}
	b := &browser{process: p}
	for late := time.Now().Add(programStarts); b.conn == nil; time.Sleep(50 * time.Millisecond) {
		if b.conn, err = debugger(port); err != nil && time.Now().After(late) {
			return nil, errors.Join(err, b.close())
		}
	}
	return b, nil
}

// debugger opens a session with the first page of a browser.
func debugger(port int) (*websocket.Conn, error) {
	var pages []struct {
		Kind string `json:"type"`
		URL  string `json:"webSocketDebuggerUrl"`
	}
	if err := (rest{base: "http://" + local(port)}).get("/json", &pages); err != nil {
		return nil, err
	}
	for _, p := range pages {
		if p.Kind == "page" {
			conn, _, err := websocket.DefaultDialer.Dial(p.URL, nil)
			return conn, err
		}
	}
	return nil, errors.New("chromium shows no page")
}

// call sends a command and decodes its result into one that is not nil. Events are
// passed over.
func (b *browser) call(result any, method string, params map[string]any) error {
	b.last++
	if err := b.conn.WriteJSON(map[string]any{"id": b.last, "method": method, "params": params}); err != nil {
		return err
	}
	_ = b.conn.SetReadDeadline(time.Now().Add(callWithin))
	for {
		var a struct {
			ID     int             `json:"id"`
			Result json.RawMessage `json:"result"`
			Error  *struct {
				Message string `json:"message"`
			} `json:"error"`
		}
		switch err := b.conn.ReadJSON(&a); {
		case err != nil:
			return fmt.Errorf("%s: %w", method, err)
		case a.ID != b.last:
			continue
		case a.Error != nil:
			return fmt.Errorf("%s: %s", method, a.Error.Message)
		case result == nil:
			return nil
		}
		return json.Unmarshal(a.Result, result)
	}
}

func (b *browser) open(url string) error {
	return b.call(nil, "Page.navigate", map[string]any{"url": url})
}

// evaluate runs a script in the page and returns what it makes, as text.
func (b *browser) evaluate(script string) (string, error) {
	var r struct {
		Result struct {
			Value any `json:"value"`
		} `json:"result"`
	}
	err := b.call(&r, "Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true})
	return fmt.Sprint(r.Result.Value), err
}

// picture writes what the page shows into a PNG file.
func (b *browser) picture(path string) error {
	var r struct {
		Data string `json:"data"`
	}
	if err := b.call(&r, "Page.captureScreenshot", map[string]any{"format": "png"}); err != nil {
		return err
	}
	data, err := base64.StdEncoding.DecodeString(r.Data)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

func (b *browser) close() error {
	if b.conn != nil {
		_ = b.conn.Close()
	}
	return b.process.stop(endWithin)
}
