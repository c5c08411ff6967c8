"""A signer without keys reports its host and refuses everything."""

from pathlib import Path

import pytest

from agent.config import ConfigError, load_config
from agent.signer.health import FREE_BYTES, UPTIME, health_values
from agent.signer.role import RefuseAll
from shared.measured import Unknown
from shared.messages.actions import SetSetpoint
from shared.messages.reply import ReplyState
from shared.setpoints import Stop

CONFIG = """\
node = "signer-a-01"
role = "signer"
data_dir = "data"
[broker]
host = "127.0.0.1"
ca_file = "ca.pem"
certificate_file = "c.pem"
key_file = "k.pem"
"""


async def test_every_command_is_refused_with_the_reason() -> None:
    outcome = await RefuseAll().carry_out("c-1", SetSetpoint("miner-1", Stop()))
    assert outcome.state is ReplyState.REFUSED
    assert "setpoint" in outcome.text
    recovered = await RefuseAll().recover("c-2", SetSetpoint("miner-1", Stop()))
    assert recovered.state is ReplyState.REFUSED


def test_health_is_read_and_what_cannot_be_is_unknown(tmp_path: Path) -> None:
    found = dict(health_values(tmp_path, 12.34))
    assert found[UPTIME] == 12.3
    free = found[FREE_BYTES]
    assert isinstance(free, int)
    assert free > 0
    gone = dict(health_values(tmp_path / "gone", 1.0))
    assert isinstance(gone[FREE_BYTES], Unknown)


def test_sections_of_a_site_are_refused_for_a_signer(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(CONFIG)
    assert load_config(file, {}).role == "signer"
    file.write_text(f"{CONFIG}[collect]\ninterval_s = 1\n")
    with pytest.raises(ConfigError, match="role signer with collect"):
        load_config(file, {})
