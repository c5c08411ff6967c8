"""Reading and writing PSBTs: the BIPs' vectors, and every way a record can be wrong."""

import base64
from dataclasses import replace

import pytest
import wallycore

from shared.bitcoin.errors import PsbtError
from shared.bitcoin.psbt import (
    OutputDescription,
    check_signatures,
    describe_output,
    from_base64,
    parse,
    serialise,
    to_base64,
    to_version_0,
    to_version_2,
)
from shared.bitcoin.psbt.codec import MAGIC, MAX_INPUTS, MAX_SIZE
from shared.bitcoin.psbt.fields import GLOBAL, INPUT, OUTPUT, Field
from shared.bitcoin.psbt.maps import MAX_RECORDS
from shared.bitcoin.psbt.musig import open_session, sessions
from tests.unit.shared.bitcoin.psbt import bip174, bip370, bip371
from tests.unit.shared.bitcoin.psbt.bip370 import Case, Map, map_of, psbt_of

BASE = Case("updated", 2)


def with_records(in_global: Map, in_input: Map, in_output: Map) -> bytes:
    """BIP370's transaction with records added to its first maps."""
    return Case("", 2, {**in_global}, {**in_input}, {**in_output}).data


@pytest.mark.parametrize("name", bip174.VALID)
def test_bip174s_valid_vectors_are_read_and_kept(name: str) -> None:
    data = bip174.VALID[name]
    psbt = parse(data)
    assert parse(serialise(psbt)) == psbt
    assert len(serialise(psbt)) == len(data)
    assert to_version_0(to_version_2(psbt)) == psbt


@pytest.mark.parametrize("name", bip371.VALID)
def test_bip371s_and_bip373s_valid_vectors_are_read_and_kept(name: str) -> None:
    psbt = from_base64(bip371.VALID[name])
    assert parse(serialise(psbt)) == psbt
    assert sorted(serialise(psbt)) == sorted(base64.b64decode(bip371.VALID[name]))


def test_bip371s_signatures_verify() -> None:
    for name, signatures in (
        ("BIP371: a signed taproot key path", 0),
        ("BIP371: signatures in three leaves", 3),
    ):
        psbt = from_base64(bip371.VALID[name])
        assert len(psbt.inputs[0].tap_script_signatures) == signatures
        check_signatures(psbt)
        with pytest.raises(PsbtError, match="does not verify"):
            check_signatures(replace(psbt, fallback_lock_time=1))


def test_bip371s_tree_is_the_outputs() -> None:
    psbt = from_base64(bip371.VALID["BIP371: an output with a tree"])
    tree = psbt.outputs[0].tap_tree
    assert tree is not None
    assert [leaf.depth for leaf in tree] == [2, 2, 1]
    assert describe_output(psbt, 0, OutputDescription()) == psbt


def test_bip373s_nonces_open_a_session() -> None:
    psbt = from_base64(bip371.VALID["BIP373: all public nonces"])
    (session,) = sessions(psbt, 0)
    expected = "030b58e337aa4d3852a8c29387c42408d8cfbe3a613a5e397e0a9f01a5fb7107d4"
    assert session.aggregate.public_key.hex() == expected
    assert open_session(psbt, session).message == session.message
    bare = from_base64(bip371.VALID["BIP373: participants"])
    with pytest.raises(PsbtError, match="missing"):
        open_session(bare, session)


@pytest.mark.parametrize("name", bip174.INVALID)
def test_bip174s_and_bip371s_invalid_vectors_are_refused(name: str) -> None:
    with pytest.raises(PsbtError):
        from_base64(bip174.INVALID[name])


@pytest.mark.parametrize("case", bip370.VALID, ids=lambda case: case.name)
def test_bip370s_valid_vectors_are_read_and_kept(case: Case) -> None:
    psbt = parse(case.data)
    assert psbt.version == 2
    assert parse(serialise(psbt)) == psbt
    assert sorted(serialise(psbt)) == sorted(case.data)


@pytest.mark.parametrize("case", bip370.INVALID, ids=lambda case: case.name)
def test_bip370s_invalid_vectors_are_refused_by_name(case: Case) -> None:
    with pytest.raises(PsbtError) as refused:
        parse(case.data)
    assert case.error in refused.value.field
    assert wally_refuses(case.data)


def wally_refuses(data: bytes) -> bool:
    try:
        wallycore.psbt_from_bytes(data, 0)
    except ValueError:
        return True
    return False


def test_what_a_psbt_says_is_read() -> None:
    psbt = parse(bip370.VALID[3].data)
    one = psbt.inputs[0]
    assert (psbt.tx_version, psbt.fallback_lock_time, psbt.lock_time) == (2, 0, 10_000)
    assert (one.required_height, one.required_time) == (10_000, 1_657_048_460)
    assert (one.previous_txid.hex(), one.output_index) == (bip370.TXID, 0)
    assert one.effective_sequence == 0xFFFFFFFE
    assert [out.amount_sat for out in psbt.outputs] == [800_000_000, 199_998_859]
    assert [str(origin) for out in psbt.outputs for origin in out.derivations.values()] == [
        "f69d873e/84h/1h/0h/0/42",
        "f69d873e/84h/1h/0h/1/100",
    ]


TABLES = (("global", GLOBAL, 0), ("inputs[0]", INPUT, 1), ("outputs[0]", OUTPUT, 2))
ROWS = [
    pytest.param(place, row, at, id=row.name)
    for place, table, at in TABLES
    for row in table.values()
    if row.only != 0 and row.key_type != 0xFB
]


def with_record(at: int, key: bytes, value: bytes) -> bytes:
    maps: list[Map] = [{}, {}, {}]
    maps[at] = {key.hex(): value.hex()}
    return with_records(*maps)


@pytest.mark.parametrize(("place", "row", "at"), ROWS)
def test_key_data_of_another_size_is_refused(place: str, row: Field, at: int) -> None:
    data = with_record(at, bytes([row.key_type]) + b"\x02" * 5, b"")
    with pytest.raises(PsbtError) as refused:
        parse(data)
    assert refused.value.field == f"{place}.{row.name}(0202020202)"


@pytest.mark.parametrize(("place", "row", "at"), ROWS)
def test_a_record_that_comes_twice_is_refused(place: str, row: Field, at: int) -> None:
    key = f"{row.key_type:02x}"
    maps = [bip370.GLOBAL_2, bip370.INPUT_2, *bip370.OUTPUTS_2]
    parts = [map_of(one) for one in maps]
    others = {name: value for name, value in maps[at].items() if name != key}
    parts[at] = map_of({key: "00"})[:-1] * 2 + map_of(others)
    with pytest.raises(PsbtError, match="comes twice") as refused:
        parse(MAGIC + b"".join(parts))
    assert refused.value.field == f"{place}.{row.name}"


WRONG_VALUES = {
    "a transaction cut short": (1, "00", bip370.PREVIOUS[:-2], "PSBT_IN_NON_WITNESS_UTXO"),
    "an output with bytes behind it": (1, "01", bip370.UTXO + "00", "PSBT_IN_WITNESS_UTXO"),
    "an amount above all money": (1, "01", "ff" * 8 + "00", "PSBT_IN_WITNESS_UTXO"),
    "a sighash type of two bytes": (1, "03", "0100", "PSBT_IN_SIGHASH_TYPE"),
    "a witness that ends early": (1, "08", "0205", "PSBT_IN_FINAL_SCRIPTWITNESS"),
    "a witness of 1001 items": (1, "08", "fde903" + "00" * 1001, "PSBT_IN_FINAL_SCRIPTWITNESS"),
    "a signature that is not DER": (
        1,
        "02" + bip370.FINAL_WITNESS[-66:],
        "3044" + "11" * 68 + "01",
        "PSBT_IN_PARTIAL_SIG",
    ),
    "a derivation of five bytes": (
        1,
        "06" + bip370.FINAL_WITNESS[-66:],
        "0011223344",
        "PSBT_IN_BIP32_DERIVATION",
    ),
    "a key that is no point": (1, "0602" + "ff" * 32, "00112233", "PSBT_IN_BIP32_DERIVATION"),
    "another preimage": (1, "0b" + "11" * 32, "22", "PSBT_IN_SHA256"),
    "a leaf without version": (
        1,
        "15c0" + bip370.FINAL_WITNESS[-64:],
        "",
        "PSBT_IN_TAP_LEAF_SCRIPT",
    ),
    "a leaf of another version": (
        1,
        "15c0" + bip370.FINAL_WITNESS[-64:],
        "51c2",
        "PSBT_IN_TAP_LEAF_SCRIPT",
    ),
    "a taproot signature of no type": (1, "13", "11" * 64 + "00", "PSBT_IN_TAP_KEY_SIG"),
    "more leaf hashes than bytes": (
        1,
        "16" + bip370.FINAL_WITNESS[-64:],
        "fe00000080" + "00" * 32,
        "PSBT_IN_TAP_BIP32_DERIVATION",
    ),
    "participants of 34 bytes": (
        1,
        "1a" + bip370.FINAL_WITNESS[-66:],
        "02" * 34,
        "PSBT_IN_MUSIG2_PARTICIPANT_PUBKEYS",
    ),
    "an empty tree": (2, "06", "", "PSBT_OUT_TAP_TREE"),
    "a tree of one leaf at depth 1": (2, "06", "01c00151", "PSBT_OUT_TAP_TREE"),
    "a tree with a leaf too many": (2, "06", "00c0015100c00151", "PSBT_OUT_TAP_TREE"),
    "a tree out of order": (2, "06", "02c0015101c0015102c00151", "PSBT_OUT_TAP_TREE"),
    "a tree too deep": (2, "06", "81c00151", "PSBT_OUT_TAP_TREE"),
    "modifiable flags of two bytes": (0, "06", "0000", "PSBT_GLOBAL_TX_MODIFIABLE"),
    "an extended key of another depth": (
        0,
        "010488b21e02" + "00" * 8 + "11" * 32 + bip370.FINAL_WITNESS[-66:],
        "0011223300000000",
        "PSBT_GLOBAL_XPUB",
    ),
}


@pytest.mark.parametrize("name", WRONG_VALUES)
def test_a_malformed_value_is_refused_by_name(name: str) -> None:
    at, key, value, field = WRONG_VALUES[name]
    with pytest.raises(PsbtError) as refused:
        parse(with_record(at, bytes.fromhex(key), bytes.fromhex(value)))
    assert field in refused.value.field


def test_a_previous_transaction_of_another_txid_is_refused() -> None:
    other = bip370.PREVIOUS[:-8] + "01000000"
    with pytest.raises(PsbtError, match="which is spent") as refused:
        parse(with_records({}, {"00": other}, {}))
    assert refused.value.field == "inputs[0].PSBT_IN_NON_WITNESS_UTXO"


def test_an_output_the_previous_transaction_lacks_is_refused() -> None:
    with pytest.raises(PsbtError, match="an output 1"):
        parse(with_records({}, {"0f": "01000000"}, {}))


def test_an_amount_that_the_previous_transaction_contradicts_is_refused() -> None:
    lied = "19" + bip370.UTXO[2:]
    with pytest.raises(PsbtError) as refused:
        parse(with_records({}, {"01": lied}, {}))
    assert refused.value.field == "inputs[0].PSBT_IN_WITNESS_UTXO"
    assert "999999000 sat" in refused.value.allowed


def test_required_lock_times_of_two_kinds_have_no_lock_time() -> None:
    psbt = parse(BASE.data)
    one = psbt.inputs[0]
    both = (replace(one, required_height=5), replace(one, required_time=500_000_005))
    with pytest.raises(PsbtError, match="one input needs a height"):
        _ = replace(psbt, inputs=both).lock_time
    either = replace(one, required_height=7, required_time=500_000_000)
    assert replace(psbt, inputs=(either, both[0], one)).lock_time == 7
    assert replace(psbt, inputs=(either, both[1], one)).lock_time == 500_000_005
    assert replace(psbt, inputs=(either, either)).lock_time == 7


def test_the_identifier_of_version_2_ignores_sequences_and_that_of_version_0_does_not() -> None:
    psbt = parse(BASE.data)
    other = replace(psbt, inputs=(replace(psbt.inputs[0], sequence=7),))
    assert psbt.identifier == other.identifier
    assert to_version_0(psbt).identifier != to_version_0(other).identifier


@pytest.mark.parametrize("version", ["01000000", "03000000", "0200", "ffffffff"])
def test_unknown_versions_are_refused(version: str) -> None:
    with pytest.raises(PsbtError, match="0 or 2") as refused:
        parse(with_records({"fb": version}, {}, {}))
    assert refused.value.field == "global.PSBT_GLOBAL_VERSION"


def test_an_explicit_version_0_is_read_and_not_written() -> None:
    plain, explicit = Case("", 0), Case("", 0, {"fb": "00000000"})
    assert parse(explicit.data) == parse(plain.data)
    assert serialise(parse(explicit.data)) == serialise(parse(plain.data))


def test_a_scriptsig_in_the_unsigned_transaction_is_refused() -> None:
    signed = bip370.UNSIGNED[:82] + "0151" + bip370.UNSIGNED[84:]
    data = psbt_of({"00": signed}, [{}], [{}, {}])
    with pytest.raises(PsbtError, match="input 0 has a scriptSig"):
        parse(data)


def test_a_key_type_that_is_not_minimal_is_refused() -> None:
    with pytest.raises(PsbtError, match="minimal"):
        parse(with_records({"fd0500": "02"}, {}, {}))


def test_counts_beyond_the_maps_that_follow_are_refused() -> None:
    for count in ("fd1027", "fe00000001", "ff" + "ff" * 8):
        with pytest.raises(PsbtError, match=f"up to {MAX_INPUTS}"):
            parse(with_records({"04": count}, {}, {}))
    with pytest.raises(PsbtError):
        parse(with_records({"04": "02"}, {}, {}))


def test_a_map_of_too_many_records_is_refused() -> None:
    records = {f"f0{number:04x}": "" for number in range(MAX_RECORDS + 1)}
    with pytest.raises(PsbtError, match="too many records"):
        parse(with_records(records, {}, {}))


def test_cut_and_extended_psbts_are_refused() -> None:
    for length in range(len(BASE.data)):
        with pytest.raises(PsbtError):
            parse(BASE.data[:length])
    with pytest.raises(PsbtError, match="1 bytes after the last map"):
        parse(BASE.data + b"\x00")


def test_only_canonical_base64_is_read() -> None:
    text = to_base64(parse(BASE.data))
    assert base64.b64decode(text) == serialise(from_base64(text))
    assert from_base64(text) == parse(BASE.data)
    for broken in (f" {text}", f"{text}\n", text[:-1], f"{text}=", text.replace("c", "-", 1), "é"):
        with pytest.raises(PsbtError, match="base64"):
            from_base64(broken)


def test_unknown_and_proprietary_records_are_kept() -> None:
    records = {"fc036265730001": "aa", "f0aabb": "", "09": "48656c6c6f"}
    psbt = parse(with_records(records, {"fc00": "01"}, {"f7": "02"}))
    assert {key.hex(): value.hex() for key, value in psbt.others.items()} == records
    assert psbt.inputs[0].others == {b"\xfc\x00": b"\x01"}
    assert psbt.outputs[0].others == {b"\xf7": b"\x02"}
    assert parse(serialise(to_version_0(psbt))).others == psbt.others


def test_what_is_too_large_is_not_looked_at() -> None:
    with pytest.raises(PsbtError, match=f"up to {MAX_SIZE} bytes"):
        parse(MAGIC + bytes(MAX_SIZE))
    with pytest.raises(PsbtError, match=f"up to {MAX_SIZE} bytes"):
        from_base64("A" * (MAX_SIZE * 2))
