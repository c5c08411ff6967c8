"""Commands for tests: made, signed, changed."""

from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.messages.actions import Action, SetSetpoint
from shared.messages.command import Command, sign
from shared.setpoints import Stop

NODE = "site-a-01"
STREAM = 77
NOW_MS = 1_700_000_000_000
KEY_ID = bytes.fromhex("a1b2c3d4")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
KEYS = {KEY_ID: KEY.public_key()}


def order(seq: int = 1, device: str = "miner-1", **changes: Any) -> Command:
    """A command that is valid for a minute from `NOW_MS`."""
    action: Action = SetSetpoint(device, Stop())
    made = Command(
        id=f"command-{seq}",
        node=NODE,
        stream=STREAM,
        seq=seq,
        actor="alice",
        issued_at_ms=NOW_MS,
        not_before_ms=NOW_MS,
        expires_at_ms=NOW_MS + 60_000,
        action=action,
    )
    return replace(made, **changes)


def signed(command: Command) -> bytes:
    """As the controller would send it."""
    return sign(command, KEY, KEY_ID)
