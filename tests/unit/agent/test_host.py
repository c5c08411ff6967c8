"""What an agent says it was started with."""

from pydantic import BaseModel

from agent.runtime.host import config_sha256, software_sha256


class Settings(BaseModel):
    """A configuration."""

    interval_s: float = 5.0


def test_another_configuration_has_another_hash_and_the_same_has_the_same() -> None:
    assert config_sha256(Settings()) == config_sha256(Settings(interval_s=5))
    assert config_sha256(Settings()) != config_sha256(Settings(interval_s=6))


async def test_the_softwares_hash_is_that_of_its_files() -> None:
    first, second = await software_sha256(), await software_sha256()
    assert first == second
    assert len(bytes.fromhex(first)) == 32
