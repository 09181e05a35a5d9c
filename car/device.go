package car

// BridgeID is the topic level of the program's own values and buttons.
const BridgeID ID = "bridge"

// AccountID is the topic level of the account at a car's maker: sign-in, cost.
const AccountID ID = "account"

// Device is what Home Assistant is told about a car, or about the program
// itself (ID BridgeID) or the account (ID AccountID): who it is and which fields it has shown.
type Device struct {
	ID           ID
	Name         string
	Manufacturer string
	Model        string
	Serial       string  // VIN, if known
	Fields       []Field // the fields to announce, in table order
}

// Message is one MQTT message on its way out. A retained message is state: only
// the newest one of a topic matters. Any other is sent once, or lost if the
// broker is away.
type Message struct {
	Topic   string
	Payload string
	Retain  bool
	// Once makes a retained message that is told once and then forgotten: it is
	// not repeated after a reconnection, as state is.
	Once bool
	// Correlation is what an answer carries of its question (MQTT 5, 4.10), "" for
	// what is none. A retained message has none.
	Correlation string
}
