"""Orders that need other people's approval before they are commands."""

import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, select

from controller.access.approvals.config import CommandRule
from controller.access.approvals.decisions import Act, ApprovalDesk
from controller.access.approvals.requests import Wish, open_request
from controller.clock import Clock
from controller.errors import ConflictError
from controller.fleet.commands import CommandDesk, Order
from controller.storage.tables import nodes
from shared.approvals.fields import UNIQUE_BYTES
from shared.approvals.intents import AnyIntent, CommandIntent


@dataclass(frozen=True, slots=True)
class Asking:
    """The account that gives an order: its id and its name."""

    user_id: int
    name: str


def approval_rule(
    conn: Connection, desk: ApprovalDesk, order: Order
) -> tuple[str, CommandRule] | None:
    """The node's site and the rule by which the order needs approval; None: it needs none."""
    site = conn.scalar(select(nodes.c.site_id).where(nodes.c.name == order.node))
    if site is None:
        return None
    rule = desk.config.rule_for(site, order.node, order.action)
    return None if rule is None else (site, rule)


def ask_approval(
    conn: Connection, clock: Clock, order: Order, found: tuple[str, CommandRule], asking: Asking
) -> str:
    """Puts an order before the approvers that the rule names; returns the request's id.

    The command is issued by the transaction that records the last approval (`command_act`), and
    its lifetime counts from then.
    """
    site, rule = found
    if order.not_before_ms is not None:
        raise ConflictError("an order that needs approval begins with it: leave out `not_before`")
    until_ms = clock.now_ms() + rule.lifetime_s * 1_000
    intent = CommandIntent(
        site=site,
        node=order.node,
        action=order.action,
        precondition=order.precondition,
        lifetime_ms=order.lifetime_ms,
        deadline_ms=until_ms,
        unique=secrets.token_bytes(UNIQUE_BYTES),
    )
    return open_request(
        conn,
        clock,
        Wish(
            intent=intent,
            initiator_id=asking.user_id,
            initiator=asking.name,
            actor=order.actor,
            policy=rule.approvers,
            rule=rule.name,
            expires_ms=until_ms,
        ),
    )


def command_act(desk: CommandDesk) -> Act:
    """Issues an approved command; the outcome is its id."""

    def issue(conn: Connection, intent: AnyIntent, initiator_id: int) -> str:
        if not isinstance(intent, CommandIntent):
            raise TypeError(f"an intent of kind {intent.kind.value} is no command")
        site = conn.scalar(select(nodes.c.site_id).where(nodes.c.name == intent.node))
        if site != intent.site:
            raise ConflictError(f"{intent.node} is not on site {intent.site} any more")
        return desk.issue(
            conn,
            Order(
                node=intent.node,
                actor=f"user:{initiator_id}",
                action=intent.action,
                lifetime_ms=intent.lifetime_ms,
                precondition=intent.precondition,
            ),
        )

    return issue
