"""An agent's configuration with all of its files, in a folder."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.brokers import HOST, Broker
from tests.unit.agent.commands.orders import KEY, KEY_ID, NODE

TEMPLATE = """\
node = "{node}"
data_dir = "data"

[broker]
host = "{host}"
port = {port}
ca_file = "{ca}"
certificate_file = "{certificate}"
key_file = "{key}"

[commands]
trusted_keys = {{ "{key_id}" = "controller.pem" }}

[buffer]
reserve_mib = 1

[status]
port = 0

[collect]
interval_s = 0.2
deadline_s = 30

[[device]]
name = "miner-1"
kind = "miner"
driver = "luxos"
rated_power_w = 3000
rated_hashrate_ths = 150
[device.settings]
host = "127.0.0.1"
port = {device_port}
deadline_s = 30
"""


@dataclass(frozen=True)
class Installation:
    """The file, and what it says."""

    file: Path
    broker: Broker

    @property
    def data_dir(self) -> Path:
        return self.file.parent / "data"

    def add(self, text: str) -> None:
        self.file.write_text(self.file.read_text(encoding="utf-8") + text, encoding="utf-8")

    def replace(self, old: str, new: str) -> None:
        text = self.file.read_text(encoding="utf-8")
        assert old in text
        self.file.write_text(text.replace(old, new), encoding="utf-8")


def installed(folder: Path, broker: Broker, device_port: int = 4028) -> Installation:
    """Writes everything an agent needs to run against `broker`."""
    credentials = broker.credentials(NODE)
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "controller.pem").write_bytes(pem)
    file = folder / "agent.toml"
    text = TEMPLATE.format(
        node=NODE,
        host=HOST,
        port=broker.port,
        ca=broker.ca_file,
        certificate=credentials.certificate_file,
        key=credentials.key_file,
        key_id=KEY_ID.hex(),
        device_port=device_port,
    )
    file.write_text(text, encoding="utf-8")
    return Installation(file, broker)
