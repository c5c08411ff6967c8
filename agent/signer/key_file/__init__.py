"""A signer's keys in a file that a passphrase encrypts: the store of a host without an HSM.

- `errors`: why a key file is refused.
- `sealing`: the format; bytes and passphrase to bytes, and back. Pure but for argon2's memory.
- `content`: what is inside: seeds and extended private keys, each with its network and origin.
- `files`: reading and writing it, 0600 and in one step; the passphrase from its file.
- `cli`: `bes keys`, which makes a key file and shows its public keys.
- `store`: `KeyFileStore`, an `agent.signer.key_store.KeyStore`; a composition opens one by
  `open_key_file`. A store of another kind implements that protocol in a package of its own.

Nothing outside of `agent.signer` imports it.
"""

from agent.signer.key_file.store import KeyFileStore, open_key_file

__all__ = ["KeyFileStore", "open_key_file"]
