package web

import (
	"io"
	"net/http"
	"strings"
)

// Route leads every path that is the prefix, or lies below it, to a handler.
type Route struct {
	Prefix  string // "/csv", without a slash at its end
	Handler http.Handler
}

// Mux sends a request to the first route that fits, else to front. It never
// redirects, as the standard library's does for a missing or a doubled slash: a
// car takes a redirect for a failure, or worse, repeats its POST as a GET and
// takes the answer for a delivery. Doubled slashes count as one.
func Mux(front http.Handler, routes ...Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := squeeze(r.URL.Path); path != r.URL.Path {
			squeezed, url := *r, *r.URL
			url.Path, url.RawPath = path, ""
			squeezed.URL = &url
			r = &squeezed
		}
		for _, route := range routes {
			rest, ok := strings.CutPrefix(r.URL.Path, route.Prefix)
			if ok && (rest == "" || rest[0] == '/') {
				route.Handler.ServeHTTP(w, r)
				return
			}
		}
		front.ServeHTTP(w, r)
	})
}

// squeeze makes one slash of several.
func squeeze(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// Front answers GET / with a text, and anything else with an error and the text:
// it says what people should have typed.
func Front(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/":
			http.Error(w, "404 nothing here\n"+text, http.StatusNotFound)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "405 nothing can be sent here\n"+text, http.StatusMethodNotAllowed)
		default:
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, text)
		}
	})
}
