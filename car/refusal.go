package car

import (
	"errors"
	"fmt"
)

// Code says what kind of failure a Refusal is, for people and programs.
type Code string

// The codes people see.
const (
	Invalid    Code = "invalid"
	NoSuch     Code = "no_such"
	Forbidden  Code = "forbidden"
	Asleep     Code = "asleep"  // the car sleeps, and may not or could not be woken
	Offline    Code = "offline" // the car cannot be reached
	Limited    Code = "limited"
	Rejected   Code = "rejected" // the car or its maker said no
	Expired    Code = "expired"  // it came too late to be still wanted
	Timeout    Code = "timeout"
	OverBudget Code = "over_budget" // the month's limit of what calls may cost is reached
	Internal   Code = "internal"
)

// Refusal is a failure that somebody can act on: a code and a sentence saying
// what to do.
type Refusal struct {
	Code Code
	Text string
}

// Refuse makes a Refusal.
func Refuse(code Code, format string, args ...any) error {
	return &Refusal{Code: code, Text: fmt.Sprintf(format, args...)}
}

func (r *Refusal) Error() string { return r.Text }

// CodeOf returns the code of an error: Internal for anything that is no Refusal.
func CodeOf(err error) Code {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Code
	}
	return Internal
}
