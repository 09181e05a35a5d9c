// Package tesla speaks the Tesla Fleet API: it signs in, keeps its tokens, reads
// an account and its cars, and counts what every call costs.
//
// Every call goes through one transport, [Client.Do], and so through the [Meter].
// An [Account] owns the tokens, a [Poller] knows when a car is worth being read, a
// [Reader] does it and hands over what it read. Sources of facts: Tesla's
// documentation (developer.tesla.com/docs/fleet-api) and its open programs
// (teslamotors/vehicle-command, teslamotors/fleet-telemetry).
package tesla
