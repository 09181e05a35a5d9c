package sim

// command is an order in plain JSON. Modern cars do not take it. What an old car
// does with it belongs into obey.
func (t *Tesla) command(c *call) reply {
	if !c.car.spec.Model.old() {
		return failure("403_vcp_required")
	}
	if reason := c.car.obey(c.r.PathValue("name"), c.body); reason != "" {
		return good(object{"result": false, "reason": reason})
	}
	return good(object{"result": true, "reason": ""})
}

// obey does what an order says, or says why not. No order is simulated yet.
func (c *Car) obey(name string, _ object) (reason string) { return "not_supported: " + name }

// signed is an order in the signed protocol, which old cars do not know. No
// modern one does yet either: the messages are not simulated.
func (t *Tesla) signed(c *call) reply { return failure("422_signed_command_unsupported") }
