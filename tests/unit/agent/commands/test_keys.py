"""Trusted keys come from PEM files."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.commands.keys import load_trusted_keys
from shared.errors import BadInputError
from shared.messages.command import verify
from tests.unit.agent.commands.orders import KEY, KEY_ID, OTHER_KEY, order, signed

PEM = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_a_key_that_was_loaded_proves_its_commands_and_no_others(tmp_path: Path) -> None:
    file = tmp_path / "controller.pem"
    file.write_bytes(KEY.public_key().public_bytes(*PEM))
    assert verify(signed(order()), load_trusted_keys({KEY_ID.hex(): file})) == order()
    file.write_bytes(OTHER_KEY.public_key().public_bytes(*PEM))
    with pytest.raises(BadInputError, match="signature"):
        verify(signed(order()), load_trusted_keys({KEY_ID.hex(): file}))


def test_what_is_no_ed25519_key_is_refused_by_name(tmp_path: Path) -> None:
    absent, text, other = tmp_path / "absent", tmp_path / "text", tmp_path / "p256"
    text.write_text("hello", encoding="utf-8")
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    other.write_bytes(public.public_bytes(*PEM))
    for file in (absent, text, other):
        with pytest.raises(BadInputError) as caught:
            load_trusted_keys({"ab": file})
        assert caught.value.field == "commands.trusted_keys.ab"
        assert str(file) in caught.value.problem
