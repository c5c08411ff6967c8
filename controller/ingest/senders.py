"""Who may be heard. The broker lets in whom a revocation list does not name; should it not have
read the list, the database still knows whose certificates are all revoked.

Nothing of such a node is taken or acked, so that its rows stay with it and come when it is enrolled
anew. That is looked up with every group, in the query that tells the nodes anyway: there is nothing
kept that could be out of date.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, literal, select

from controller.enrolment.renewal import CertificateState
from controller.ingest.inbox import Incoming, Refused
from controller.storage.tables import certificates, nodes
from shared.messages.state import State

CERTIFICATE = "certificate"
"""The field of such a refusal."""


@dataclass(frozen=True, slots=True)
class Senders:
    """Of some names those of nodes; and of these the ones without a certificate that counts."""

    known: set[str]
    unproven: set[str]


def read_senders(conn: Connection, names: Collection[str], *, only_enrolled: bool) -> Senders:
    """With `only_enrolled` a node counts that has a certificate which is not revoked; whether it
    has run out is the broker's to judge. Otherwise every node does."""
    counts = (
        select(literal(1))
        .where(
            certificates.c.node == nodes.c.name,
            certificates.c.state != CertificateState.REVOKED.value,
        )
        .exists()
    )
    shown = counts if only_enrolled else literal(value=True)
    rows = conn.execute(select(nodes.c.name, shown.label("counts")).where(nodes.c.name.in_(names)))
    found = {row.name: bool(row.counts) for row in rows}
    return Senders(set(found), {name for name, proven in found.items() if not proven})


def without_certificate(message: Incoming) -> Refused:
    """The refusal of a message whose node has nothing that counts."""
    text = f"{message.node} has no certificate that counts"
    return Refused(message.node, message.channel, CERTIFICATE, text)


def is_last_word(message: Incoming) -> bool:
    """Whether it says that the node is gone: the broker sends it for a node that was cut off."""
    return isinstance(message.content, State) and not message.content.online
