"""What both sides of the wire must agree on: messages, errors, measured values, time.

No I/O and no clock lives here, and nothing here imports the agent, the controller or a driver; all
of them may import this package. A new message family is one module under `shared.messages`.
"""
