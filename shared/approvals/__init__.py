"""Four-eyes approvals: what is approved, what an approver signs, and when enough have signed.

Pure: no I/O, no clock, no randomness. The controller, `bes approve` on the approver's machine and
the signers run this same code, so that nobody has to believe another's reading of an intent.

`intents` the kinds of intent as dataclasses; a new kind is one class there, entered in `KINDS`
`encoding` their one encoding and its digest; `words` the same in plain words
`keys` approvers' public keys; `statement` what a decision signs; `passkey` WebAuthn assertions
`judgement` the rule; `life` the states of a request as a table; `diagram` draws it
`payment` whether a transaction is the payment approved
`exchange` requests and decisions as the JSON documents that travel
"""
