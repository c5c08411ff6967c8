"""What both sides of the wire must agree on: messages, errors, measured values, time.

No I/O and no clock lives here, with one room set apart for them: `shared.host`, what both sides'
processes do to their host. (`cli` and `logs` write to the standard streams, and nothing else.)
Nothing here imports the agent, the controller or a driver; all of them may import this package. A
new message family is one module under `shared.messages`.
"""
