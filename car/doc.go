// Package car is Wheelhouse's language: what a car is, what it reports, and
// how that is named on MQTT. Every other package speaks it; it speaks to none
// and uses the standard library only.
//
// The words:
//
//   - A car is one vehicle, one Home Assistant device and one topic level; its
//     [ID] is that level.
//   - A key names a field, the same across brands ("battery", "odometer").
//     Keys are for ever.
//   - A [Field] is one row of a source's [Table]: everything about a value,
//     described once.
//   - A [Quantity] is what a value means: it fixes Home Assistant's platform,
//     class, unit and state class, and how often the topic may change.
//   - A [Report] is what a source decoded, with the time the car gave it.
//   - A record ([Point], [ChargePoint], [Session]) must never be lost. Two
//     versions of one record merge to the same result whichever came first.
//   - A [Batch] is what one request brought, a [Receipt] says what became of it.
//   - A [Refusal] is a failure with a code people can act on.
//   - A [Message] is one MQTT message on its way out.
package car
