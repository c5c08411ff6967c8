"""A whole deployment on one machine, set up as its operator would: with the shipped scripts."""

import json
import re
from dataclasses import dataclass

from tests.systemd.machines import Machine, MachineError, Ran

URL = "https://127.0.0.1:8443"
TOKEN_FILE = "/root/token"
ACCESS = f"--url {URL} --token-file {TOKEN_FILE} --ca-file /etc/bes/controller/ca/roots.pem"
CONTROLLER_CONFIG = "/etc/bes/controller/controller.toml"
CONTROLLER, SITE, SIGNER = "bes-controller", "bes-agent@site", "bes-agent@signer"
SERVICES = (CONTROLLER, SITE, SIGNER)
NODES = {"site": "site-a-01", "signer": "signer-a-01"}
AUTHORITY = "/etc/bes/controller/ca"
_PASSPHRASE = "--passphrase-file /root/ca/words"
_NAME_THE_GENERATION_BEFORE = f"""
given=/run/credentials/bes-controller.service/ca_$(basename "$(readlink {AUTHORITY}/current)")
cat >>{CONTROLLER_CONFIG} <<END

[[enrolment.previous]]
certificate_file = "${{given}}_chain.pem"
key_file = "${{given}}_key.pem"
END
"""
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

    def agent_script(self, arguments: str, *, ok: bool = True) -> Ran:
        """Runs the agent's installer."""
        return self.machine.run(f"{self.agent_installer} {arguments}", ok=ok)

    @property
    def agent_installer(self) -> str:
        """The agent's installer."""
        return f"{self.bundle}/provisioning/install/install-agent.sh"

    def set_up(self, enrolment: str = "") -> None:
        """Authority, controller, broker, both agents."""
        self.set_up_controller(enrolment)
        for role in NODES:
            self.enrol(role)

    def set_up_controller(self, enrolment: str = "") -> None:
        """Authority, controller, broker. `enrolment` is a line more in that section of the
        controller's configuration."""
        run = self.machine.run
        run("umask 077; mkdir /root/ca; printf 'a passphrase that only tests use' > /root/ca/words")
        asked = self.install_controller(ok=False)
        if asked.status != 3:
            raise MachineError(f"the installer did not stop for a signature:\n{asked.output}")
        if enrolment:
            run(f"sed -i '/^.enrolment.$/a {enrolment}' {CONTROLLER_CONFIG}")
        made = run(f"bes ca init --folder /root/ca/root --name Tests {_PASSPHRASE}")
        chain = self._sign(asked.output, "/root/ca/root")
        self.install_controller(
            f"--ca-certificate {chain} --ca-fingerprint {_fingerprint(made.output)}"
        )
        self._make_an_administrator()

    def _sign(self, asked: str, root: str) -> str:
        """What was asked for, signed where the root is; the file to carry back."""
        request = re.search(r"(?m)^(?:made: )?(\S+/request\.pem)$", _unprefixed(asked))
        if request is None:
            raise MachineError(f"no request in:\n{asked}")
        self.machine.run(
            f"bes ca intermediate sign --root {root} {_PASSPHRASE} --request {request[1]} "
            f"--fingerprint {_fingerprint(asked)} --out {root}.chain.pem"
        )
        return f"{root}.chain.pem"

    def rotate(self) -> None:
        """A new root and a new intermediate, in the order of docs/new-site.md."""
        run, authority = self.machine.run, f"--folder {AUTHORITY}"
        run(_NAME_THE_GENERATION_BEFORE)
        old = "--old /root/ca/root --old-passphrase-file /root/ca/words"
        run(f"bes ca rotate {old} --folder /root/ca/root-2 --name 'Tests 2' {_PASSPHRASE}")
        asked = run(f"bes ca intermediate request {authority} --name 'Tests, issuing 2'")
        chain = self._sign(asked.output, "/root/ca/root-2")
        run(f"bes ca intermediate install {authority} --certificate {chain}")
        run("systemctl restart bes-controller && systemctl start bes-renew")

    def is_of_the_authority(self, certificate: str) -> bool:
        """Whether the authority in use issued the certificate in a file."""
        issuer = self._name("issuer", certificate)
        return issuer == self._name("subject", f"{AUTHORITY}/current/chain.pem")

    def _name(self, which: str, certificate: str) -> str:
        asked = f"openssl x509 -noout -{which} -in {certificate}"
        return self.machine.run(asked).output.strip().removeprefix(f"{which}=")

    def _make_an_administrator(self) -> None:
        """Who gets a token that lets hosts in and sees the fleet, and no more."""
        config = f"--config {CONTROLLER_CONFIG}"
        allowed = ("nodes.enrol", "nodes.revoke", "fleet.read")
        permissions = " ".join(f"--permission {one}" for one in allowed)
        self.machine.run(
            "umask 077; printf 'a password that only tests use' > /root/password; "
            f"bes user first-administrator tests --password-file /root/password {config} && "
            f"bes user token tests --for 'bes node' {permissions} {config} > {TOKEN_FILE}"
        )

    def enrol(self, role: str, more: str = "") -> None:
        """`bes node new`, and what it prints is done on the host."""
        new = f"bes node {ACCESS} new {NODES[role]} --site site-a --role {role} {more}"
        self.on_the_host(self.machine.run(f"{new} 2>/dev/null").output)

    def on_the_host(self, printed: str) -> Ran:
        """The one line that `bes node new` printed, given in the unpacked bundle. There is no sudo
        where everybody is root."""
        if printed.count("\n") != 1 or printed.count(" | sudo ") != 1:
            raise MachineError(f"bes node new printed:\n{printed}")
        return self.machine.run(f"cd {self.bundle} && {printed.replace(' | sudo ', ' | ')}")

    def committed(self) -> dict[str, Committed]:
        """The controller's telemetry by node."""
        found = self.machine.run(f"{_PYTHON} -I -", _ROWS).output
        return {str(node): Committed(*numbers) for node, *numbers in json.loads(found)}

    def accepted(self) -> dict[str, int]:
        """The highest number that each agent has allotted to a telemetry row."""
        found = self.machine.run(f"{_PYTHON} -I -", f"ROLES = {NODES!r}\n{_ACCEPTED}").output
        return {str(node): int(seq) for node, seq in json.loads(found).items()}

    def serial(self, role: str) -> str:
        """The serial number of the certificate that an agent has."""
        return self.machine.run(
            f"openssl x509 -noout -serial -in {certificate_of(role)}"
        ).output.strip()

    def is_good_for_a_day(self, role: str) -> bool:
        """Whether the certificate that an agent has lasts that long."""
        asked = f"openssl x509 -noout -checkend 86400 -in {certificate_of(role)}"
        return self.machine.run(asked, ok=False).status == 0

    def generations(self, role: str) -> set[str]:
        """The generations of an agent's identity: one goes when a later one stands its proof."""
        folder = f"/var/lib/bes/{role}/identity/generations"
        return set(self.machine.run(f"ls {folder}").output.split())

    def presented(self, port: int) -> str:
        """The serial number of the certificate that a listener shows."""
        show = f"openssl s_client -connect 127.0.0.1:{port} </dev/null 2>/dev/null"
        found = self.machine.run(f"{show} | openssl x509 -noout -serial", ok=False).output.strip()
        return found if found.startswith("serial=") else ""

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

    def wait_for_rows(self, accepted: dict[str, int]) -> None:
        """Returns once every row up to these numbers is committed."""
        self.machine.wait_for(
            lambda: self.has_all_of(accepted), f"the rows up to {accepted}", 120.0
        )

    def wait_for_all_rows(self) -> None:
        """Returns once what was accepted until now is committed, and later rows arrive."""
        self.wait_for_rows({node: last + 1 for node, last in self.accepted().items()})


def certificate_of(role: str) -> str:
    """The file with the certificate that an agent has."""
    return f"/var/lib/bes/{role}/identity/current/certificate.pem"


def _unprefixed(text: str) -> str:
    return re.sub(r"(?m)^install-controller: ", "", text)


def _fingerprint(text: str) -> str:
    found = re.search(r"fingerprint: (sha256:\w+)", text)
    if found is None:
        raise MachineError(f"no fingerprint in:\n{text}")
    return found[1]
