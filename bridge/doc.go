// Package bridge is the machine: it takes what sources decoded, stores it
// durably, and turns it into MQTT messages. Its live state is a cache of the
// store: whatever is published is computed from what is on disk.
//
// The pure parts are [Trip] and [Charge], which fold records, and live, which
// decides what to publish; they do no I/O and read no clock. [Bridge] owns them
// with one goroutine.
package bridge
