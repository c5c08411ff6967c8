"""Role "site": collects readings, decides on curtailment, switches devices and proves it.

Imported by `agent.runtime` (through `role.build_site`) and by the money replay in `models` nowhere
else. Pure: `situation` (the inputs), `economics` (what running is worth), `curtailment` (the
decision), `verify` (did the kilowatts follow), `power_truth`, `device_state`. Effects: `collect`
(reads devices), `prices` (reads the feed), `actuator` (the only writer to devices), `lockout`.
A new limit on the decision is a field of `situation.Limits`, a rule in `curtailment` and a property
in `tests/property/agent/site`.
"""
