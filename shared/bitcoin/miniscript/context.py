"""Where a miniscript runs, and what consensus and standardness allow there (BIP379)."""

from enum import Enum
from typing import Final

MAX_OPS: Final = 201
"""Non-push opcodes and CHECKMULTISIG keys in a P2WSH spend (consensus)."""
MAX_P2WSH_SCRIPT_BYTES: Final = 3600
"""The longest P2WSH witness script that is relayed (standardness)."""
MAX_P2WSH_STACK: Final = 100
"""Witness elements before a P2WSH script (standardness)."""
MAX_EXECUTION_STACK: Final = 1000
"""Elements on the stack while a script runs (consensus)."""
MAX_MULTI_KEYS: Final = 20
"""Keys of one CHECKMULTISIG (consensus)."""
MAX_MULTI_A_KEYS: Final = 999
"""Keys of one multi_a: their signatures and one key have to fit on the stack."""
MAX_TAPSCRIPT_BYTES: Final = 329_482
"""The longest tapscript whose spend still fits into a standard transaction.

That is 400,000 weight units less what Bitcoin Core sets aside: one input and output, and the
largest witness with a stack of 1,000 signatures and a control block of 128 levels.
"""


class Context(Enum):
    """The script that an expression becomes: keys, signatures and limits differ."""

    P2WSH = "wsh"
    TAPSCRIPT = "tr"

    @property
    def key_bytes(self) -> int:
        """Compressed in P2WSH, x-only in tapscript."""
        return 33 if self is Context.P2WSH else 32

    @property
    def signature_bytes(self) -> int:
        """The longest signature, with the byte of its sighash type."""
        return 72 if self is Context.P2WSH else 65

    @property
    def max_script_bytes(self) -> int:
        """The longest script that is relayed."""
        return MAX_P2WSH_SCRIPT_BYTES if self is Context.P2WSH else MAX_TAPSCRIPT_BYTES
