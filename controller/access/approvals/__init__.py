"""Four-eyes approvals on the controller, over the rule of `shared.approvals`.

`config` the rules that ask for approvals; `keys` approvers' keys; `requests` what waits;
`decisions` what approvers answer, and the act that the last approval begins; `use` the seam for
whoever acts on an approval; `attempts` writes down what was refused; `grants` the agreement that
`controller.access.four_eyes` asks for. A new kind of act is a function entered in
`controller.approved_acts`.

`cli`, `client` and `signing` are `bes approve`, which runs on the approver's own machine and
imports nothing of the controller: keep this file free of imports.
"""
