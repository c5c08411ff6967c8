"""Composition of approvals: what begins with the last approval of each kind of intent."""

from sqlalchemy import Connection

from controller.access.approvals.decisions import Act, ApprovalDesk
from controller.access.approvals.grants import give
from controller.clock import Clock
from controller.config import ControllerConfig
from controller.fleet.commands import CommandDesk
from controller.fleet.dangerous import command_act
from controller.retention.settings import carry_out
from shared.approvals.intents import AnyIntent, IntentKind


def approval_desk(config: ControllerConfig, clock: Clock, desk: CommandDesk | None) -> ApprovalDesk:
    """The desk as configured. Approved commands are issued by `desk`, approved roles given, the
    retention policy is changed; payments and contracts wait as approved for whoever carries
    them out."""

    def give_role(conn: Connection, intent: AnyIntent, initiator_id: int) -> str:
        return give(conn, clock, intent, initiator_id)

    def change_policy(conn: Connection, intent: AnyIntent, initiator_id: int) -> str:
        return carry_out(conn, clock, intent, f"user:{initiator_id}")

    acts: dict[IntentKind, Act] = {
        IntentKind.POLICY: change_policy,
        IntentKind.USER_GRANT: give_role,
    }
    if desk is not None:
        acts[IntentKind.COMMAND] = command_act(desk)
    return ApprovalDesk(config.approvals, config.approvals.party(config.access.origin), acts)
