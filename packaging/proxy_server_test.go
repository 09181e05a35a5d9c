//go:build proxies

package packaging_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// proxyServer is a proxy, and how the file that people copy becomes one for the
// test: the port, the certificate and the program's address are changed, and
// nothing else.
type proxyServer struct {
	name    string
	file    string   // in packaging/proxy
	program []string // and its arguments; $DIR is where it lives
	frame   string   // the rest of its configuration; $FILE is the example
	deaf    bool     // while it sends a body on: an early refusal is lost
	changes func(door, inside string, k *keys) []string
}

var proxyServers = []proxyServer{
	{
		name: "nginx", file: "nginx.conf",
		program: []string{"nginx", "-p", "$DIR", "-c", "$DIR/conf", "-e", "stderr"},
		frame: "daemon off; pid $DIR/pid; error_log stderr warn; $USER\nevents {}\nhttp {\n" +
			"access_log off; client_body_temp_path $DIR/body; proxy_temp_path $DIR/proxy;\n" +
			"fastcgi_temp_path $DIR/f; uwsgi_temp_path $DIR/u; scgi_temp_path $DIR/s;\n$FILE}\n",
		changes: func(door, inside string, k *keys) []string {
			return []string{
				"listen 443 ssl;", "listen " + door + " ssl;",
				"listen [::]:443 ssl;", "",
				"/etc/letsencrypt/live/car.example.org/fullchain.pem", k.cert,
				"/etc/letsencrypt/live/car.example.org/privkey.pem", k.key,
				"http://127.0.0.1:8480;", "http://" + inside + ";",
			}
		},
	},
	{
		name: "caddy", file: "Caddyfile",
		program: []string{"caddy", "run", "--adapter", "caddyfile", "--config", "$DIR/conf"},
		frame:   "{\nadmin off\nauto_https disable_redirects\nstorage file_system $DIR\n}\n$FILE",
		changes: func(door, inside string, k *keys) []string {
			host, port, _ := net.SplitHostPort(door)
			return []string{
				"car.example.org { # CHANGE",
				fmt.Sprintf("car.example.org:%s {\nbind %s\ntls %s %s", port, host, k.cert, k.key),
				"127.0.0.1:8480", inside,
			}
		},
	},
	{
		name: "apache2", file: "apache.conf", deaf: true,
		program: []string{"apache2", "-d", "$DIR", "-f", "$DIR/conf", "-D", "FOREGROUND"},
		frame: loadModules("mpm_event", "authz_core", "reqtimeout", "ssl", "headers", "alias",
			"proxy", "proxy_http") + "PidFile $DIR/pid\nErrorLog /dev/stderr\nLogLevel error\n" +
			"ServerName localhost\nUser www-data\nGroup www-data\n$FILE",
		changes: func(door, inside string, k *keys) []string {
			return []string{
				"<VirtualHost *:443>", "Listen " + door + "\n<VirtualHost " + door + ">",
				"/etc/letsencrypt/live/car.example.org/fullchain.pem", k.cert,
				"/etc/letsencrypt/live/car.example.org/privkey.pem", k.key,
				"http://127.0.0.1:8480", "http://" + inside,
			}
		},
	},
}

func loadModules(names ...string) (text string) {
	for _, name := range names {
		text += "LoadModule " + name + "_module /usr/lib/apache2/modules/mod_" + name + ".so\n"
	}
	return text
}

// here says whether there is such a proxy.
func (s proxyServer) here() bool {
	_, err := exec.LookPath(s.path())
	return err == nil
}

// path is where Debian has the program; /usr/sbin is not in everybody's PATH.
func (s proxyServer) path() string {
	if path, err := exec.LookPath(filepath.Join("/usr/sbin", s.program[0])); err == nil {
		return path
	}
	return s.program[0]
}

// start runs the proxy in front of an address until the test ends, and returns
// where it listens.
func (s proxyServer) start(t *testing.T, inside string, k *keys) (door string) {
	t.Helper()
	door = freeAddress(t)
	text, err := os.ReadFile(filepath.Join("proxy", s.file))
	if err != nil {
		t.Fatal(err)
	}
	example := string(text)
	for pair := range slices.Chunk(s.changes(door, inside, k), 2) {
		if strings.Count(example, pair[0]) != 1 {
			t.Fatalf("%s holds %q %d times", s.file, pair[0], strings.Count(example, pair[0]))
		}
		example = strings.Replace(example, pair[0], pair[1], 1)
	}
	dir := t.TempDir()
	user := ""
	if os.Getuid() == 0 {
		user = "user root;"
	}
	fill := strings.NewReplacer("$DIR", dir, "$FILE", example, "$USER", user)
	if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(fill.Replace(s.frame)), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(s.path())
	for _, arg := range s.program[1:] {
		c.Args = append(c.Args, fill.Replace(arg))
	}
	c.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	c.Stderr = t.Output()
	launch(t, c)
	(*proxyHouse)(nil).eventually(t, s.name+" listens", func() bool {
		conn, err := net.Dial("tcp", door)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return door
}

// launch starts a command that is ended with the test.
func launch(t *testing.T, c *exec.Cmd) {
	t.Helper()
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
	})
}

// freeAddress is one that the system chose and nobody listens on: a proxy cannot
// tell which port it was given.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
