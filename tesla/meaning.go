package tesla

import (
	"strings"

	"github.com/wheelhouse-mqtt/wheelhouse/car"
)

// What can be wrong, in words that programs compare.
const (
	codeInvalid     = "invalid_request"
	codeAuthCode    = "invalid_auth_code"
	codeRedirect    = "invalid_redirect_url"
	codeClient      = "unauthorized_client"
	codeLogin       = "login_required"
	codeMobile      = "mobile_access_disabled"
	codeToken       = "token_expired"
	codeExceeded    = "exceeded_limit"
	codeScope       = "missing_scope"
	codeSigning     = "signing_required"
	codeUnsupported = "unsupported_vehicle"
	codeForbidden   = "forbidden"
	codeNoSuch      = "not_found"
	codeService     = "in_service"
	codeProgram     = "program_error"
	codeAsleep      = "asleep"
	codeSlow        = "car_slow"
	codeRegister    = "not_registered"
	codeOutdated    = "outdated"
	codeRegion      = "wrong_region"
	codeTaken       = "already_taken"
	codeNoProtocol  = "no_protocol"
	codeLocked      = "account_locked"
	codeKeyFetch    = "public_key_unreachable"
	codeLimited     = "rate_limited"
	codeLegal       = "legal"
	codeNoKey       = "key_not_paired"
	codeOdd         = "car_confused"
	codeServer      = "server_error"
	codeNoAnswer    = "no_answer"
	codeNoWay       = "no_connection"
)

// meaning is what a status and some words in the body stand for. A status of 0 is
// any, words of "" are any.
type meaning struct {
	status  int
	words   string // lower case
	code    string
	refused car.Code
	advice  string // what to do, in one sentence
}

// meanings are tried in their order: the status decides first, then the words
// (developer.tesla.com, "conventions" and "response codes"; the proxy of
// teslamotors/vehicle-command).
var meanings = []meaning{
	{400, "invalid_auth_code", codeAuthCode, car.Expired,
		"the sign-in took too long or was used twice: start `wheelhouse tesla login` again"},
	{400, "invalid_redirect_url", codeRedirect, car.Invalid,
		"Tesla does not know the redirect URL: add it to the application at developer.tesla.com, letter by letter"},
	{400, "unauthorized_client", codeClient, car.Forbidden,
		"Tesla does not know the application: check tesla.client_id and tesla.client_secret"},
	{400, "", codeInvalid, car.Invalid, "Tesla did not understand the request: check its parameters"},

	{401, "login_required", codeLogin, car.Forbidden,
		"the sign-in at Tesla has ended: run `wheelhouse tesla login`"},
	{401, "mobile_access_disabled", codeMobile, car.Forbidden,
		"the car lets nobody in: switch on Controls > Safety > Allow Mobile Access on its screen"},
	{401, "", codeToken, car.Forbidden,
		"Tesla did not take the access token: if this lasts, run `wheelhouse tesla login`"},

	{402, "", codeExceeded, car.OverBudget, overLimit},
	{403, "exceeded_limit", codeExceeded, car.OverBudget, overLimit},
	{403, "missing scopes", codeScope, car.Forbidden,
		"the account did not give this permission: run `wheelhouse tesla login` and tick it"},
	{403, "vehicle command protocol required", codeSigning, car.Rejected,
		"the car takes signed commands only: pair the key with `wheelhouse tesla pair`"},
	{403, "unsupported vehicle", codeUnsupported, car.Rejected, "the car cannot do this"},
	{403, "did not provide an oauth token", codeLogin, car.Forbidden,
		"the call had no access token: run `wheelhouse tesla login`"},
	{403, "", codeForbidden, car.Forbidden,
		"Tesla does not allow this for the account or the application"},

	{404, "", codeNoSuch, car.NoSuch,
		"Tesla does not know it: is the car still in the account, and the number a VIN?"},
	{405, "in service", codeService, car.Offline,
		"the car is at a workshop and answers when it is back: it is tried again in an hour"},
	{405, "", codeProgram, car.Internal, "the endpoint has another method: please report this"},
	{406, "", codeProgram, car.Internal, "the request was not sent as JSON: please report this"},
	{408, "operation_timedout", codeSlow, car.Timeout,
		"the car is awake but did not answer in time: try again in a minute"},
	{408, "", codeAsleep, car.Asleep,
		"the car is asleep or offline: it is read again when it is awake, orders wake it"},
	{412, "", codeRegister, car.Forbidden,
		"the application is not registered in this region: run `wheelhouse tesla register`"},
	{418, "", codeOutdated, car.Rejected, "Tesla asks for a newer program: update Wheelhouse"},
	{421, "", codeRegion, car.Rejected,
		"the account lives in another region: run `wheelhouse tesla login` again if this lasts"},
	{422, "already been taken", codeTaken, car.Rejected,
		"the domain is registered already: nothing is to be done"},
	{422, "command protocol", codeNoProtocol, car.Rejected,
		"the car does not know signed commands: it is sent plain ones"},
	{422, "", codeInvalid, car.Invalid, "Tesla did not accept a value: check the parameters"},
	{423, "", codeLocked, car.Forbidden, "Tesla has locked the account: ask Tesla's support"},
	{424, "", codeKeyFetch, car.Rejected,
		"Tesla could not fetch the public key: check with `wheelhouse tesla serve-key` that it is reachable"},
	{429, "", codeLimited, car.Limited, "Tesla asks for fewer calls: wait a little"},
	{451, "", codeLegal, car.Forbidden,
		"Tesla may not tell this: look at the privacy settings of the car and the account"},
	{499, "", codeNoAnswer, car.Timeout, "the connection ended early: try again"},

	{0, "asleep", codeAsleep, car.Asleep,
		"the car is asleep or offline: it is read again when it is awake, orders wake it"},
	{0, "vehicle is not available", codeAsleep, car.Offline,
		"the car cannot be reached: it is read again when it is awake"},
	{0, "deadline exceeded", codeSlow, car.Timeout, "the car did not answer in time: try again in a minute"},
	{0, "has not been paired", codeNoKey, car.Forbidden,
		"the car does not know our key: run `wheelhouse tesla pair`"},
	{540, "", codeOdd, car.Internal, "the car answered nonsense: try again later"},
}

const overLimit = "Tesla has cut the application off, because its billing limit is reached: " +
	"raise the limit at developer.tesla.com and restart, or wait for the next month"

// meaningOf finds what an answer stands for.
func meaningOf(status int, text string) meaning {
	text = strings.ToLower(text)
	for _, m := range meanings {
		// Only what claims to be fine, or a server's fault, is told by words alone.
		ours := m.status == status || m.status == 0 && (status >= 500 || status < 300)
		if ours && strings.Contains(text, m.words) {
			return m
		}
	}
	if status >= 500 {
		return meaning{code: codeServer, refused: car.Internal,
			advice: "Tesla's servers have a problem: it is tried again by itself"}
	}
	return meaning{code: codeInvalid, refused: car.Rejected, advice: "Tesla answered what nobody expected"}
}
