"""Who may be a node: enrolment tokens, certificates, their renewal and revocation.

`life`, `judge`, `renewal` and `rate` are pure. `tokens`, `joining`, `renewing` and `revoking` each
do one step within a transaction of the caller; `authority` holds the intermediate's key, `crl`
issues revocation lists, `list_file` writes the broker's, `restored` learns from it when the
database was put back, `ending` tells of the intermediate's end, `cli` is `bes node`. Imported by
`controller.api.v1.enrolment`, `controller.app` and `controller.jobs`. A new reason to refuse is a
member of `judge.Refusal`. Times are real UTC milliseconds (`*_real_ms`): certificates know nothing
of a demonstration's clock.
"""
