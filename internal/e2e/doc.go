// Package e2e shows that a real Home Assistant understands Wheelhouse: it runs
// both, beside a real broker, lets simulated cars post to the real webhook, and
// compares what Home Assistant shows with what was sent.
//
// The machinery is here: Home Assistant in a Debian root of its own that
// .ci/homeassistant makes, its HTTP and WebSocket interfaces, the program's
// binary, mosquitto, and a recorder of everything on MQTT. The scenarios, a
// function each, stand in the table of matrix_test.go.
//
//	go test -tags homeassistant -v ./internal/e2e
//
// Everything listens on loopback. What a machine cannot do (no rights, no package
// registry) is skipped, and said. A scenario that fails leaves Home Assistant's
// log, the record of MQTT and the registries in the folder named by
// E2E_ARTEFACTS, by default wheelhouse-e2e in the system's one for
// temporary files.
package e2e
