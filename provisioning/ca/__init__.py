"""`bes ca`: the company's own authority, an offline root and the controller's intermediate.

Keys never move. The root's folder lives on a medium that is offline between ceremonies, its key is
encrypted; the intermediate's key is made on the controller's host and its request is carried to the
root. `root` and `intermediate` are the two ends, `show` prints what stands in either folder,
`sealed` keeps the root's key and asks for its passphrase, `files` writes, `cli` is the command.
A new step is a function of one of the two ends and a sub-command in `cli`. Imports
`shared.identity` only; nothing but `provisioning` imports it.
"""
