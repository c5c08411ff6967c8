"""Plays one seeded run: accidents, orders and attacks as they come, peace, and the verdict."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import func, select

from controller.storage.engine import Storage
from controller.storage.tables import commands, nodes
from provisioning.single_node import key_id
from tests.brokers import HOST
from tests.disks import small_disk
from tests.faults import verdict
from tests.faults.accidents import RunPlan
from tests.faults.attacker import Attacker, Forger, Target
from tests.faults.deployment import ATTACKER, NODE, PATIENCE_S, Deployment
from tests.faults.machines import COUNT, name_of
from tests.faults.tls import client_context

_DISK_MIB = 48


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    rows_accepted: int
    orders: Counter[str]
    attacks: Counter[str]


def play(plan: RunPlan, folder: Path, database_url: str) -> Outcome:
    """Plays the plan; an AssertionError says what was lost, doubled or wrongly done."""
    with small_disk(folder / "disk", _DISK_MIB) as disk:
        storage = Storage(database_url)
        try:
            with Deployment(folder, database_url, disk) as deployment:
                return _Run(plan, deployment, storage).play()
        finally:
            storage.close()


class _Run:
    def __init__(self, plan: RunPlan, deployment: Deployment, storage: Storage) -> None:
        self._plan = plan
        self._deployment = deployment
        self._storage = storage
        self._attacks: Counter[str] = Counter()
        files = deployment.files
        key = load_pem_private_key(files.command_key_file.read_bytes(), None)
        assert isinstance(key, Ed25519PrivateKey)
        kid = bytes.fromhex(key_id(files.command_key_file.with_suffix(".pub")))
        self._forger = Forger(plan.seed, key, kid)
        context = client_context(files.ca_file, deployment.folder / ATTACKER)
        self._attacker = Attacker(HOST, deployment.broker_port, context)
        self._ordered = 0

    def play(self) -> Outcome:
        """See `play`."""
        try:
            self._order()
            start = time.monotonic()
            for at_s, action in self._timeline():
                time.sleep(max(0.0, start + at_s - time.monotonic()))
                action()
            self._settle()
            self._deployment.end_agent()
            rows = verdict.judge_rows(self._storage, self._deployment.agent_database)
            told = self._deployment.machines.power_limits_told()
            orders = verdict.judge_commands(self._storage, told)
        except (AssertionError, TimeoutError) as error:
            error.add_note(f"{self._plan}\n{self._deployment.logs()}")
            raise
        return Outcome(rows, orders, self._attacks)

    def _timeline(self) -> list[tuple[float, Callable[[], None]]]:
        deployment = self._deployment
        actions: list[tuple[float, Callable[[], None]]] = []
        for accident in self._plan.accidents:
            actions.append((accident.at_s, lambda a=accident: deployment.cause(a)))  # type: ignore[misc]
            mended_s = accident.at_s + accident.lasts_s
            actions.append((mended_s, lambda a=accident: deployment.mend(a)))  # type: ignore[misc]
        actions += [(at_s, self._order) for at_s in self._plan.commands_at_s]
        actions += [(at_s, self._attack) for at_s in self._plan.attacks_at_s]
        return sorted(actions, key=lambda entry: entry[0])

    def _order(self) -> None:
        """An order whose power limit no other comes near, so that what a miner was told, or shows,
        names it."""
        number = self._ordered
        self._ordered += 1
        self._deployment.order(name_of(number % COUNT), 1_200 + 250 * number, f"order-{number:04}")

    def _attack(self) -> None:
        with self._storage.read() as conn:
            stream = conn.scalar(select(nodes.c.event_stream).where(nodes.c.name == NODE))
            heard = select(func.max(commands.c.seq)).where(commands.c.accepted_ms.is_not(None))
            accepted_seq = conn.scalar(heard) or 0
            genuine = conn.scalar(select(commands.c.message).where(commands.c.seq == accepted_seq))
        target = Target(NODE, stream or 0, name_of(0), int(time.time() * 1000), accepted_seq)
        wrong = dict(self._forger.messages(target))
        if genuine is not None:
            wrong["replayed"] = genuine
        for kind, message in wrong.items():
            if self._attacker.send(NODE, message):
                self._attacks[kind] += 1

    def _settle(self) -> None:
        """Waits until what was accepted so far has arrived and every order is at an end. What is
        accepted from here on may still lie in the agent's buffer when it is ended."""
        deadline = time.monotonic() + PATIENCE_S
        goal = verdict.accepted(self._deployment.agent_database)
        while time.monotonic() < deadline:
            waiting = verdict.open_commands(self._storage)
            lost = {
                name: verdict.missing(self._storage, name, stream).spans
                for name, stream in goal.items()
            }
            if not waiting and not any(lost.values()):
                return
            time.sleep(0.2)
        raise TimeoutError(f"not settled: orders {waiting}, rows that did not arrive {lost}")
