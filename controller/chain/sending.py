"""The way every transaction of the suite takes to the network: verified, tested, handed over.

What is written down before and after is the caller's: an intent is persisted first, and after a
crash the same transaction may be sent again.
"""

from collections.abc import Sequence

from controller.chain.backend import ChainBackend, accepted, accepted_package
from controller.chain.engine import verify
from controller.chain.values import PackageState, PackageVerdict, Verdict
from shared.bitcoin.transaction import Transaction, TxOut


def send(backend: ChainBackend, transaction: Transaction, prevouts: Sequence[TxOut]) -> Verdict:
    """Core's engine verifies it, the mempool says it would take it, then it is broadcast.

    `prevouts` are the outputs spent, in the inputs' order. Returns the test's verdict, with size
    and fee. `ScriptRefusedError` and `NotAcceptedError` come before anything left this process
    for the network; of the latter the broadcast may raise one too, if the mempool changed.
    """
    verify(transaction, prevouts)
    verdict = accepted(backend.test_accept(transaction))
    backend.broadcast(transaction)
    return verdict


def send_package(
    backend: ChainBackend,
    parent: Transaction,
    child: Transaction,
    prevouts: tuple[Sequence[TxOut], Sequence[TxOut]],
) -> PackageVerdict:
    """The same for a parent with its child; `prevouts` are the parent's and the child's.

    A test that the backend cannot make does not hold it back: handing the package over then
    decides, and changes nothing if it is refused.
    """
    for one, spent in zip((parent, child), prevouts, strict=True):
        verify(one, spent)
    verdict = backend.test_accept_package(parent, child)
    if verdict.state is PackageState.REFUSED:
        return accepted_package(verdict)
    return backend.broadcast_package(parent, child)
