"""A whole deployment on one machine, set up as its operator would: with the shipped scripts."""

import json
import re
from dataclasses import dataclass

from tests.systemd.machines import Machine, MachineError, Ran

URL = "https://127.0.0.1:8443"
CONTROLLER, SITE, SIGNER = "bes-controller", "bes-agent@site", "bes-agent@signer"
SERVICES = (CONTROLLER, SITE, SIGNER)
NODES = {"site": "site-a-01", "signer": "signer-a-01"}
_PYTHON = "/opt/bes/current/bin/python"
_ROWS = """
import json, sqlite3
conn = sqlite3.connect("file:/var/lib/bes/controller/controller.sqlite?mode=ro", uri=True)
rows = conn.execute("SELECT s.node, count(*), min(t.seq), max(t.seq) FROM telemetry t "
                    "JOIN streams s ON s.id = t.stream GROUP BY s.id").fetchall()
print(json.dumps(rows))
"""
_EVENTS = """
import json, sqlite3
conn = sqlite3.connect("file:/var/lib/bes/controller/controller.sqlite?mode=ro", uri=True)
print(json.dumps([kind for (kind,) in conn.execute("SELECT kind FROM security_events")]))
"""
_ACCEPTED = """
import json, sqlite3
found = {}
for role, node in ROLES.items():
    conn = sqlite3.connect(f"file:/var/lib/bes/{role}/agent.sqlite?mode=ro", uri=True)
    found[node] = conn.execute(
        "SELECT seq FROM sqlite_sequence WHERE name = 'telemetry'").fetchone()[0]
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class Committed:
    """What the controller has of one node's telemetry stream."""

    rows: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Deployment:
    """Broker, controller and an agent of each role on `machine`; `bundle` is where it came from."""

    machine: Machine
    bundle: str

    def install_controller(self, more: str = "", *, ok: bool = True) -> Ran:
        """Runs the installer as it was, or will be, run."""
        script = f"{self.bundle}/provisioning/install/install-controller.sh"
        addresses = "--address 127.0.0.1 --address localhost"
        return self.machine.run(f"{script} --url {URL} {addresses} --broker {more}", ok=ok)

    def agent_script(self, arguments: str, stdin: str = "", *, ok: bool = True) -> Ran:
        """Runs the agent's installer."""
        script = f"{self.bundle}/provisioning/install/install-agent.sh"
        return self.machine.run(f"{script} {arguments}", stdin, ok=ok)

    def set_up(self) -> None:
        """Authority, controller, broker, both agents."""
        self.set_up_controller()
        for role in NODES:
            self.enrol(role)

    def set_up_controller(self) -> None:
        """Authority, controller, broker."""
        run = self.machine.run
        run("umask 077; mkdir /root/ca; printf 'a passphrase that only tests use' > /root/ca/words")
        asked = self.install_controller(ok=False)
        if asked.status != 3:
            raise MachineError(f"the installer did not stop for a signature:\n{asked.output}")
        made = run(
            "bes ca init --folder /root/ca/root --name Tests --passphrase-file /root/ca/words"
        )
        request = re.search(r"(?m)^(?:made: )?(\S+/request\.pem)$", _unprefixed(asked.output))
        if request is None:
            raise MachineError(f"no request in:\n{asked.output}")
        run(
            "bes ca intermediate sign --root /root/ca/root --passphrase-file /root/ca/words "
            f"--request {request[1]} --fingerprint {_fingerprint(asked.output)} "
            "--out /root/ca/chain.pem"
        )
        carried = (
            f"--ca-certificate /root/ca/chain.pem --ca-fingerprint {_fingerprint(made.output)}"
        )
        self.install_controller(carried)

    def enrol(self, role: str) -> None:
        """`bes node new`, and what it prints is done on the host."""
        secrets = "/etc/bes/controller/secrets/token"
        access = f"--url {URL} --token-file {secrets} --ca-file /etc/bes/controller/ca/roots.pem"
        printed = self.machine.run(
            f"bes node {access} new {NODES[role]} --site site-a --role {role} 2>/dev/null"
        ).output
        token, fingerprint = self.told(printed)
        arguments = f"--role {role} --url {URL} --ca-fingerprint {fingerprint} --token-stdin"
        self.agent_script(arguments, token)

    def told(self, printed: str) -> tuple[str, str]:
        """The token and the root's fingerprint of what `bes node new` printed."""
        told = re.search(r"printf '%s' (\S+) \| .* --ca-fingerprint (\S+) ", printed)
        if told is None:
            raise MachineError(f"bes node new printed:\n{printed}")
        return told[1], told[2]

    def committed(self) -> dict[str, Committed]:
        """The controller's telemetry by node."""
        found = self.machine.run(f"{_PYTHON} -I -", _ROWS).output
        return {str(node): Committed(*numbers) for node, *numbers in json.loads(found)}

    def accepted(self) -> dict[str, int]:
        """The highest number that each agent has allotted to a telemetry row."""
        found = self.machine.run(f"{_PYTHON} -I -", f"ROLES = {NODES!r}\n{_ACCEPTED}").output
        return {str(node): int(seq) for node, seq in json.loads(found).items()}

    def security_events(self) -> list[str]:
        """The kinds of the controller's security events."""
        return [
            str(kind) for kind in json.loads(self.machine.run(f"{_PYTHON} -I -", _EVENTS).output)
        ]

    def has_all_of(self, accepted: dict[str, int]) -> bool:
        """Whether every row up to these numbers is committed, each once."""
        committed = self.committed()
        return all(
            node in committed
            and committed[node].first == 1
            and committed[node].rows == committed[node].last
            and committed[node].last >= last
            for node, last in accepted.items()
        )

    def are_up(self) -> bool:
        """Whether every service is ready, and the controller complete."""
        ready = all(self.machine.is_active(unit) for unit in SERVICES)
        return ready and self.machine.show(CONTROLLER, "StatusText") == "ready"

    def wait_until_up(self) -> None:
        """Returns once all are."""
        self.machine.wait_for(self.are_up, "all services", 120.0)

    def wait_for_all_rows(self) -> None:
        """Returns once what was accepted until now is committed, and later rows arrive."""
        accepted = {node: last + 1 for node, last in self.accepted().items()}
        self.machine.wait_for(
            lambda: self.has_all_of(accepted), f"the rows up to {accepted}", 120.0
        )


def _unprefixed(text: str) -> str:
    return re.sub(r"(?m)^install-controller: ", "", text)


def _fingerprint(text: str) -> str:
    found = re.search(r"fingerprint: (sha256:\w+)", text)
    if found is None:
        raise MachineError(f"no fingerprint in:\n{text}")
    return found[1]
