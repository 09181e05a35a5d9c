package tesla

// Identity is who a call is made for.
type Identity uint8

// The identities that tokens are issued for.
const (
	Owner   Identity = iota // the person who signed in
	Partner                 // the application itself
	Nobody                  // no token
)

// Category is what a call is billed as (developer.tesla.com, "billing and limits").
// Every answer below 500 counts.
type Category string

// The categories. Tesla does not publish that of the calls that tell a car's
// state; they are counted on their own, with a price that can be configured.
const (
	Data    Category = "data"    // a live reading of a car
	Command Category = "command" // an order to a car
	Wake    Category = "wake"    // waking a car
	State   Category = "state"   // whether a car is awake, and the lists
	Free    Category = "free"    // sign-in, registration, the account itself
)

// Endpoint is one row of what the Fleet API offers.
type Endpoint struct {
	Name     string // what people type: "vehicle_data"
	Group    string // user, charging, vehicle, telemetry, partner
	Method   string // of HTTP
	Path     string // with {vehicle_tag}, {vin}, {id} … to be replaced
	Scope    string // that the token must have, "" for any
	As       Identity
	Category Category
	Params   []string // names of the query's or the body's parameters
	Unsafe   bool     // it changes something: never repeated, and not readable by MQTT
}
