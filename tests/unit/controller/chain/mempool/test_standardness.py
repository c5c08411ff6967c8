"""What is standard in form, outputs, inputs and witnesses."""

import pytest

from shared.bitcoin.hashes import sha256
from shared.bitcoin.opcodes import Op
from shared.bitcoin.script import ANCHOR, null_data, number, p2sh, p2wsh, push, script
from shared.bitcoin.transaction import TxOut
from tests.unit.controller.chain.ledger import ANYONE, COIN_SAT, TRUE, Ledger, spend

_FEE_SAT = 10_000
_KEY = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")


def _reason_of_output(script_pubkey: bytes, amount_sat: int = COIN_SAT // 2) -> str | None:
    ledger = Ledger()
    change = TxOut(COIN_SAT - amount_sat - _FEE_SAT, ANYONE)
    return ledger.reason(spend([ledger.give()], [TxOut(amount_sat, script_pubkey), change]))


@pytest.mark.parametrize("version", [1, 2, 3])
def test_versions_one_to_three_are_let_in(version: int) -> None:
    ledger = Ledger()
    assert ledger.reason(ledger.pay([ledger.give()], _FEE_SAT, version=version)) is None


@pytest.mark.parametrize("version", [0, 4, 0xFFFFFFFF])
def test_other_versions_are_refused(version: int) -> None:
    ledger = Ledger()
    assert ledger.reason(ledger.pay([ledger.give()], _FEE_SAT, version=version)) == "version"


def _of_weight(ledger: Ledger, outputs: int) -> str | None:
    return ledger.reason(ledger.pay([ledger.give(10**9)], 10**6, outputs=outputs))


def test_a_weight_up_to_400000_is_let_in_and_one_output_more_is_refused() -> None:
    ledger = Ledger()
    fitting = 2_322  # 43 bytes an output, four weight units a byte
    assert ledger.pay([ledger.give(10**9)], 10**6, outputs=fitting).weight <= 400_000
    assert _of_weight(ledger, fitting) is None
    assert ledger.pay([ledger.give(10**9)], 10**6, outputs=fitting + 4).weight > 400_000
    assert _of_weight(ledger, fitting + 4) == "tx-size"


def test_a_script_sig_only_pushes() -> None:
    ledger = Ledger()
    redeem = script(Op.DROP, 1)
    coin = ledger.give(script_pubkey=p2sh(redeem))
    paid = [TxOut(COIN_SAT - _FEE_SAT, ANYONE)]
    computing = spend([coin], paid, witness=(), script_sig=bytes((Op.NOP,)) + push(redeem))
    assert ledger.reason(computing) == "scriptsig-not-pushonly"
    pushing = spend([coin], paid, witness=(), script_sig=number(1) + push(redeem))
    assert ledger.reason(pushing) is None


def test_a_script_sig_has_at_most_1650_bytes() -> None:
    ledger = Ledger()
    paid = [TxOut(COIN_SAT - _FEE_SAT, ANYONE)]
    for size, reason in ((1_647, "bad-txns-inputs-missingorspent"), (1_648, "scriptsig-size")):
        script_sig = b"\x4d" + size.to_bytes(2, "little") + bytes(size)
        missing = ledger.give()
        del ledger.coins[missing]
        assert ledger.reason(spend([missing], paid, script_sig=script_sig)) == reason


def test_an_unknown_output_script_is_refused_and_a_future_witness_version_is_not() -> None:
    assert _reason_of_output(bytes((Op.ADD1,))) == "scriptpubkey"
    assert _reason_of_output(number(2) + push(bytes(32))) is None


@pytest.mark.parametrize(("keys", "reason"), [(3, None), (4, "scriptpubkey")])
def test_bare_multisig_has_at_most_three_keys(keys: int, reason: str | None) -> None:
    assert _reason_of_output(script(1, *[_KEY] * keys, keys, Op.CHECKMULTISIG)) == reason


@pytest.mark.parametrize(("length", "reason"), [(80, None), (81, "scriptpubkey")])
def test_data_outputs_have_at_most_83_bytes(length: int, reason: str | None) -> None:
    assert _reason_of_output(null_data(bytes(length)), 0) == reason


def test_one_data_output_is_let_in_and_two_are_refused() -> None:
    ledger = Ledger()
    data = TxOut(0, null_data(b"note"))
    rest = TxOut(COIN_SAT - _FEE_SAT, ANYONE)
    assert ledger.reason(spend([ledger.give()], [data, rest])) is None
    assert ledger.reason(spend([ledger.give()], [data, data, rest])) == "multi-op-return"


@pytest.mark.parametrize(
    ("script_pubkey", "least_sat"),
    [
        (bytes.fromhex("76a914") + bytes(20) + bytes.fromhex("88ac"), 546),
        (bytes.fromhex("0014") + bytes(20), 294),
        (ANYONE, 330),
        (bytes.fromhex("5120") + bytes(32), 330),
        (ANCHOR, 240),
    ],
)
def test_an_output_below_its_threshold_is_dust(script_pubkey: bytes, least_sat: int) -> None:
    assert _reason_of_output(script_pubkey, least_sat) is None
    assert _reason_of_output(script_pubkey, least_sat - 1) == "dust"


def test_a_transaction_of_64_bytes_is_refused_and_one_of_65_let_in() -> None:
    ledger = Ledger()
    small = spend([ledger.give()], [TxOut(COIN_SAT - _FEE_SAT, ANCHOR)])
    assert len(small.serialise_without_witness()) == 64
    assert ledger.reason(small) == "tx-size-small"
    larger = spend([ledger.give()], [TxOut(COIN_SAT - _FEE_SAT, null_data(b"abc"))])
    assert len(larger.serialise_without_witness()) == 65
    assert ledger.reason(larger) is None


def _reason_of_witness(
    witness_script: bytes, items: tuple[bytes, ...], script_pubkey: bytes | None = None
) -> str | None:
    ledger = Ledger()
    coin = ledger.give(script_pubkey=script_pubkey or p2wsh(witness_script))
    paid = [TxOut(COIN_SAT - _FEE_SAT, ANYONE)]
    return ledger.reason(spend([coin], paid, witness=(*items, witness_script)))


@pytest.mark.parametrize(("items", "reason"), [(100, None), (102, "bad-witness-nonstandard")])
def test_a_witness_has_at_most_100_items_before_its_script(items: int, reason: str | None) -> None:
    witness_script = script(*[Op.DROP2] * (items // 2), 1)
    assert _reason_of_witness(witness_script, (b"",) * items) == reason


@pytest.mark.parametrize(("length", "reason"), [(80, None), (81, "bad-witness-nonstandard")])
def test_a_witness_item_has_at_most_80_bytes(length: int, reason: str | None) -> None:
    assert _reason_of_witness(script(Op.DROP, 1), (bytes(length),)) == reason


@pytest.mark.parametrize(("length", "reason"), [(3_600, None), (3_601, "bad-witness-nonstandard")])
def test_a_witness_script_has_at_most_3600_bytes(length: int, reason: str | None) -> None:
    # 201 counted opcodes are consensus's limit, pushes and their dropping in pairs are not enough
    pushes = push(bytes(520)) + bytes((Op.DROP,))
    whole, rest = divmod(length - 1, len(pushes))
    filler = (
        push(bytes(rest - 4)) + bytes((Op.DROP,)) if rest - 4 > 255 else bytes((Op.NOP,)) * rest
    )
    witness_script = pushes * whole + filler + TRUE
    assert len(witness_script) == length
    assert _reason_of_witness(witness_script, ()) == reason


def test_an_anchor_is_spent_with_nothing() -> None:
    ledger = Ledger()
    paid = [TxOut(COIN_SAT - _FEE_SAT, ANYONE)]
    stuffed = spend([ledger.give(script_pubkey=ANCHOR)], paid)
    assert ledger.reason(stuffed) == "bad-witness-nonstandard"
    assert ledger.reason(spend([ledger.give(script_pubkey=ANCHOR)], paid, witness=())) is None


def test_a_witness_for_what_takes_none_is_refused() -> None:
    ledger = Ledger()
    redeem = script(1)
    coin = ledger.give(script_pubkey=p2sh(redeem))
    paid = [TxOut(COIN_SAT - _FEE_SAT, ANYONE)]
    assert ledger.reason(spend([coin], paid, script_sig=push(redeem))) == "bad-witness-nonstandard"
    assert ledger.reason(spend([coin], paid, witness=(), script_sig=push(redeem))) is None


@pytest.mark.parametrize("script_pubkey", [TRUE, number(2) + push(bytes(32))])
def test_what_is_not_standard_or_of_the_future_is_not_spent(script_pubkey: bytes) -> None:
    ledger = Ledger()
    coin = ledger.give(script_pubkey=script_pubkey)
    paid = [TxOut(COIN_SAT - _FEE_SAT, ANYONE)]
    assert ledger.reason(spend([coin], paid, witness=())) == "bad-txns-nonstandard-inputs"


@pytest.mark.parametrize(("sigops", "reason"), [(15, None), (16, "bad-txns-nonstandard-inputs")])
def test_a_redeem_script_has_at_most_15_sigops(sigops: int, reason: str | None) -> None:
    ledger = Ledger()
    redeem = script(0, Op.IF, *[Op.CHECKSIG] * sigops, Op.ENDIF, 1)
    coin = ledger.give(script_pubkey=p2sh(redeem))
    paid = [TxOut(COIN_SAT - _FEE_SAT, ANYONE)]
    assert ledger.reason(spend([coin], paid, witness=(), script_sig=push(redeem))) == reason


def test_a_taproot_annex_is_refused() -> None:
    ledger = Ledger()
    coin = ledger.give(script_pubkey=b"\x51\x20" + _KEY[1:])
    paid = [TxOut(COIN_SAT - _FEE_SAT, ANYONE)]
    annexed = spend([coin], paid, witness=(bytes(64), b"\x50note"))
    assert ledger.reason(annexed) == "bad-witness-nonstandard"


@pytest.mark.parametrize(
    ("length", "reason"),
    [(80, "mandatory-script-verify-flag-failed"), (81, "bad-witness-nonstandard")],
)
def test_a_tapscript_item_has_at_most_80_bytes(length: int, reason: str) -> None:
    ledger = Ledger()
    coin = ledger.give(script_pubkey=b"\x51\x20" + _KEY[1:])
    control = b"\xc0" + sha256(b"no internal key")
    paid = [TxOut(COIN_SAT - _FEE_SAT, ANYONE)]
    assert ledger.reason(spend([coin], paid, witness=(bytes(length), TRUE, control))) == reason


def test_a_leaf_version_or_an_opcode_kept_for_upgrades_is_refused() -> None:
    ledger = Ledger()
    coin = ledger.give(script_pubkey=b"\x51\x20" + _KEY[1:])
    paid = [TxOut(COIN_SAT - _FEE_SAT, ANYONE)]
    for leaf, version in ((TRUE, b"\xc2"), (bytes((0x50,)), b"\xc0")):
        verdict = ledger.submit(spend([coin], paid, witness=(leaf, version + bytes(32))))
        assert verdict.reason == "non-mandatory-script-verify-flag"
