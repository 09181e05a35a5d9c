package tesla

// Region is where an account lives; a call to another one is answered 421.
type Region string

// The regions of the Fleet API.
const (
	NorthAmerica Region = "na" // and Asia-Pacific
	Europe       Region = "eu" // and the Middle East, Africa
	China        Region = "cn" // with developer accounts of its own
)

// Hosts are the places that a sign-in and a call go to. Tests and the simulated
// Tesla have others.
type Hosts struct {
	Login string            // where people say yes, in a browser
	Token string            // where tokens are had
	Pair  string            // where a car is asked to take a key; the domain follows
	API   map[Region]string // base URLs, without a slash at their end
}

// DefaultHosts are Tesla's own (developer.tesla.com, "third-party tokens" and "base
// URLs").
func DefaultHosts() Hosts {
	return Hosts{
		Login: "https://auth.tesla.com/oauth2/v3/authorize",
		Token: "https://fleet-auth.prd.vn.cloud.tesla.com/oauth2/v3/token",
		Pair:  "https://tesla.com/_ak/",
		API: map[Region]string{
			NorthAmerica: "https://fleet-api.prd.na.vn.cloud.tesla.com",
			Europe:       "https://fleet-api.prd.eu.vn.cloud.tesla.com",
			China:        "https://fleet-api.prd.cn.vn.cloud.tesla.cn",
		},
	}
}
