// Package discovery introduces cars to Home Assistant: it writes the MQTT
// discovery messages, knows what Home Assistant accepts, and decides when
// which message is sent.
//
//   - [Messages] turns a device into discovery messages.
//   - [Lint], [LintDevice] and [LintState] say what Home Assistant would refuse,
//     or accept and misread. No message leaves without having passed.
//   - [Announcer] keeps the broker's discovery topics as they should be. It is a
//     pure state machine: it does no I/O and reads no clock.
//   - [Document] writes the entity tables of the documentation.
//
// What is said here about Home Assistant holds for 2024.11, the first release
// with device-based discovery, up to 2026.11, and comes from its mqtt
// integration (home-assistant/core, homeassistant/components/mqtt).
package discovery
