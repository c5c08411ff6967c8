"""BIP329 files, read and written."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.wallets.bip329 import Label, LabelType, read_label, read_labels, write_labels
from shared.errors import BadInputError

TXID = "f91d0a8a78462bc59398f2c5d7a84fcff491c26ba54c4833478b202796c8aafd"
VECTORS = [  # BIP329, "Test Vectors"
    f'{{ "type": "tx", "ref": "{TXID}", "label": "Transaction", '
    '"origin": "wpkh([d34db33f/84\'/0\'/0\'])" }',
    '{ "type": "addr", "ref": "bc1q34aq5drpuwy3wgl9lhup9892qp6svr8ldzyy7c", "label": "Address" }',
    '{ "type": "pubkey", "ref": '
    '"0283409659355b6d1cc3c32decd5d561abaac86c37a353b52895a5e6c196d6f448", '
    '"label": "Public Key" }',
    f'{{ "type": "input", "ref": "{TXID}:0", "label": "Input" }}',
    f'{{ "type": "output", "ref": "{TXID}:1", "label": "Output", "spendable": false }}',
    '{ "type": "xpub", "ref": "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjq'
    'JoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8", "label": "Extended Public Key" }',
    '{ "type": "tx", "ref": "f546156d9044844e02b181026a1a407abfca62e7ea1159f87bbeaa77b4286c74", '
    '"label": "Account #1 Transaction", "origin": "wpkh([d34db33f/84\'/0\'/1\'])" }',
]


def test_the_vectors_are_written_as_they_were_read() -> None:
    labels = list(read_labels(line.encode() for line in VECTORS))
    assert [one.type for one in labels] == [
        LabelType(name) for name in ["tx", "addr", "pubkey", "input", "output", "xpub", "tx"]
    ]
    assert labels[4].spendable is False
    written = [json.loads(line) for line in write_labels(labels)]
    assert written == [json.loads(line) for line in VECTORS]


def test_fields_that_mean_nothing_here_are_kept_to_the_last_digit() -> None:
    line = '{"type": "tx", "ref": "aa", "rate": {"USD": 105620.00}, "heights": [1, 2], "x": null}'
    label = read_label(line.encode(), "line 1")
    assert label is not None
    assert label.label is None
    assert list(write_labels([label])) == [line]


def test_a_long_label_is_cut_and_an_unknown_type_passed_over() -> None:
    label = read_label(f'{{"type":"tx","ref":"aa","label":"{"é" * 300}"}}'.encode(), "line 1")
    assert label is not None
    assert (label.label, label.was_cut) == ("é" * 255, True)
    assert read_label(b'{"type":"seed","ref":"aa"}', "line 1") is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{",
        b'{"type":"tx"}',
        b'{"ref":"aa"}',
        b'{"type":"tx","ref":""}',
        b'{"type":"tx","ref":1}',
        b'{"type":"tx","ref":"aa","ref":"bb"}',
        b'{"type":"tx","ref":"aa","label":"a\\nb"}',
        b'{"type":"tx","ref":"aa","label":"\\ud800"}',
        b'{"type":"tx","ref":"aa","spendable":true}',
        b'{"type":"output","ref":"aa","spendable":true}',
        b'{"type":"output","ref":"aa:0","spendable":"false"}',
        b'{"type":"tx","ref":"aa","x":NaN}',
        b'{"type":"tx","ref":"aa","x":' + b"[" * 9 + b"]" * 9 + b"}",
        b'{"type":"tx","ref":"aa","x":' + b"[" * 2_000 + b"]" * 2_000 + b"}",
        b'{"type":"tx","ref":"aa","label":"' + b"x" * 9_000 + b'"}',
        b'\xff{"type":"tx","ref":"aa"}',
    ],
)
def test_a_line_that_is_none_is_refused_with_its_number(line: bytes) -> None:
    with pytest.raises(BadInputError) as refusal:
        read_label(line, "line 7")
    assert "7" in refusal.value.field or refusal.value.field in {"outpoint", "transaction id"}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    st.sampled_from(LabelType),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1, max_size=50),
    st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=255),
    st.dictionaries(st.text(min_size=3, max_size=4), _JSON, max_size=3),
)
def test_what_is_written_reads_back_the_same(
    kind: LabelType, ref: str, label: str | None, others: dict[str, object]
) -> None:
    one = Label(kind, ref, label, others=json.dumps(others))
    [line] = write_labels([one])
    back = read_label(line.encode(), "line 1")
    assert back is not None
    assert (back.type, back.ref, back.label) == (kind, ref, label)
    assert json.loads(back.others) == json.loads(one.others)


@given(st.binary(max_size=200))
def test_no_bytes_are_an_error_of_another_kind(line: bytes) -> None:
    with suppress(BadInputError):
        label = read_label(line, "line 1")
        assert label is None or label.ref
