"""Commands from the controller: judged, written down, carried out once, answered.

`judge` decides (pure), `lifecycle` is the table of states, `journal` keeps them in SQLite, `runner`
performs. `executor` is what a role must offer. Only `agent.runtime` and the roles import this
package. A new action is a dataclass in `shared.messages.actions` and a branch in the role's
executor; nothing here knows what an action means. A new reason to refuse is a member of
`judge.Problem`.
"""
