"""A command is proven before it is read, and its form is checked field by field."""

from dataclasses import replace

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.errors import BadInputError
from shared.messages import cbor
from shared.messages.actions import Comparison, Condition, Reboot, SetSetpoint, SwitchOutlet
from shared.messages.command import Command, sign, verify
from shared.setpoints import PowerLimit, Preset, Run, Stop

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY_ID = b"controller-1"
KEYS = {KEY_ID: KEY.public_key()}

COMMAND = Command(
    id="7f3c",
    node="site-a-01",
    stream=77,
    seq=5,
    actor="operator",
    issued_at_ms=1_000,
    not_before_ms=1_000,
    expires_at_ms=61_000,
    action=SetSetpoint("miner-01", PowerLimit(2_400), hold_ms=3_600_000),
    precondition=(Condition("miner-01", "mining", Comparison.EQUAL, value=True),),
)


@pytest.mark.parametrize(
    "action",
    [
        SetSetpoint("miner-01", Stop()),
        SetSetpoint("miner-01", Run(), hold_ms=1),
        SetSetpoint("miner-01", PowerLimit(3_000)),
        SetSetpoint("miner-01", Preset("eco")),
        Reboot("miner-02"),
        SwitchOutlet("pdu-1", 4, closed=False),
    ],
)
def test_a_signed_command_comes_back_as_it_was(action: SetSetpoint | Reboot | SwitchOutlet) -> None:
    command = replace(COMMAND, action=action)
    assert verify(sign(command, KEY, KEY_ID), KEYS) == command


def test_the_frame_is_a_cose_sign1_over_the_sig_structure() -> None:
    message = sign(COMMAND, KEY, KEY_ID)
    frame = cbor2.loads(message)
    protected, unprotected, payload, signature = frame.value
    assert frame.tag == 18
    assert unprotected == {}
    assert cbor2.loads(protected) == {1: -8, 4: KEY_ID}
    structure = cbor2.dumps(["Signature1", protected, b"", payload])
    KEY.public_key().verify(signature, structure)


def test_an_independent_cose_example_has_the_same_sig_structure() -> None:
    """RFC 9052 appendix C.2.1's structure, with Ed25519 in place of ES256: recomputed by hand."""
    protected = bytes.fromhex("a10127")
    payload = b"This is the content."
    expected = bytes.fromhex("846a5369676e61747572653143a101274054") + payload
    assert cbor.encode(["Signature1", protected, b"", payload]) == expected


def test_every_flipped_bit_of_a_message_is_refused() -> None:
    message = sign(COMMAND, KEY, KEY_ID)
    for position in range(len(message) * 8):
        damaged = bytearray(message)
        damaged[position // 8] ^= 1 << (position % 8)
        with pytest.raises(BadInputError):
            verify(bytes(damaged), KEYS)


@pytest.mark.parametrize("keys", [{}, {KEY_ID: Ed25519PrivateKey.generate().public_key()}])
def test_a_key_that_is_not_trusted_signs_nothing(keys: dict[bytes, Ed25519PublicKey]) -> None:
    with pytest.raises(BadInputError) as refused:
        verify(sign(COMMAND, KEY, KEY_ID), keys)
    assert refused.value.field == "signature"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"seq": 0}, "seq"),
        ({"id": ""}, "id"),
        ({"expires_at_ms": 999}, "expires_at"),
        ({"expires_at_ms": 8 * 86_400_000}, "expires_at"),
        ({"stream": -1}, "stream"),
        ({"action": SetSetpoint("miner-01", PowerLimit(0))}, "setpoint.power_w"),
        ({"action": SwitchOutlet("pdu-1", 0, closed=True)}, "params.outlet"),
        ({"action": Reboot("")}, "params.device"),
    ],
)
def test_a_signed_command_of_wrong_form_is_refused_by_field(
    change: dict[str, object], field: str
) -> None:
    wrong = replace(COMMAND, **change)  # type: ignore[arg-type]
    with pytest.raises(BadInputError) as refused:
        verify(sign(wrong, KEY, KEY_ID), KEYS)
    assert refused.value.field == field


def test_an_unknown_action_or_parameter_is_refused() -> None:
    fields = cbor.decode(COMMAND.encode())
    with pytest.raises(BadInputError, match="reboot, setpoint, switch"):
        Command.decode(cbor.encode({**fields, "action": "explode"}))
    with pytest.raises(BadInputError, match="force"):
        Command.decode(cbor.encode({**fields, "params": {**fields["params"], "force": True}}))
