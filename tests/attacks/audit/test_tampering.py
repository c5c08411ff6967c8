"""A log that was changed behind its owner's back is refused by whoever holds its public key."""

import base64
import hashlib

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.audit.leaves import leaf_bytes
from controller.audit.notes import HeadSigner, TreeHead, parse, unsigned
from shared.merkle import Frontier, Head, leaf_hash
from shared.messages import cbor
from tests.attacks.audit.conftest import KEPT, Auditor
from tests.audit_logs import KEY, ORIGIN, OTHER_KEY, Record, changed_leaf, lines
from tests.nodes import NOON_MS

SIZE = 24


def rebuilt(
    bodies: list[bytes], key: Ed25519PrivateKey = KEY, groups: tuple[int, ...] = (7, 12, 21, SIZE)
) -> list[Record]:
    """An export made by someone who has `key` and can write whatever he likes."""
    signer, tree, heads = HeadSigner(ORIGIN, key), Frontier(), 0
    told: list[Record] = [
        {"export": "bes-audit", "version": 1, "origin": ORIGIN, "size": len(bodies)}
    ]
    for index, body in enumerate(bodies):
        tree.append(leaf_hash(body))
        told.append(leaf_line(index, body))
        if index + 1 in groups or index + 1 == len(bodies):
            told.append(
                {"head": signer.sign(TreeHead(ORIGIN, Head(tree.size, tree.root()), NOON_MS))}
            )
            heads += 1
    return [*told, {"end": len(bodies), "heads": heads, "timestamps": 0}]


def leaf_line(index: int, body: bytes) -> Record:
    return {
        "leaf": index,
        "body": base64.b64encode(body).decode(),
        "hash": base64.b64encode(leaf_hash(body)).decode(),
    }


def bodies_of(export: tuple[Record, ...]) -> list[bytes]:
    return [base64.b64decode(one["body"]) for one in export if "leaf" in one]


def place_of(export: tuple[Record, ...], leaf: int) -> int:
    return next(at for at, one in enumerate(export) if one.get("leaf") == leaf)


def forged(body: bytes) -> bytes:
    fields = cbor.decode(body)
    return cbor.encode({**fields, "actor": "user:99"})


def test_the_honest_log_holds(auditor: Auditor) -> None:
    assert auditor.verify(list(auditor.export), *auditor.kept, *auditor.roots) == 0
    told = auditor.capture.readouterr().out
    for line in ("leaves: 24", "heads: 4", "4 heads signed", "timestamps: 2", "kept earlier: 1"):
        assert line in told


def test_a_log_made_anew_by_the_same_key_holds_as_long_as_nothing_was_kept(
    auditor: Auditor,
) -> None:
    """Without this the attacks below would be refused for how they are made."""
    assert auditor.verify(rebuilt(bodies_of(auditor.export)), *auditor.kept) == 0


def test_a_tampered_leaf_is_refused_by_its_number(auditor: Auditor) -> None:
    export = list(auditor.export)
    at = place_of(auditor.export, 14)
    export[at] = changed_leaf(export[at], forged)
    assert "leaf 14: its body does not give its hash" in auditor.refuses(export)


def test_a_tampered_leaf_with_its_hash_made_to_fit_is_refused_by_its_group(
    auditor: Auditor,
) -> None:
    export = list(auditor.export)
    at = place_of(auditor.export, 14)
    export[at] = leaf_line(14, forged(base64.b64decode(export[at]["body"])))
    told = auditor.refuses(export)
    assert "head of size 21" in told
    assert "one of 12 to 20" in told


def test_a_leaf_that_is_not_in_its_one_form_is_refused(auditor: Auditor) -> None:
    bodies = bodies_of(auditor.export)
    fields = cbor.decode(bodies[3])
    bodies[3] = cbor2.dumps(dict(reversed(fields.items())))
    assert bodies[3] != cbor.encode(fields)
    assert "leaf 3: not in the canonical form" in auditor.refuses(rebuilt(bodies))
    bodies[3] = cbor.encode({**fields, "more": 1})
    assert "leaf 3: not in the canonical form" in auditor.refuses(rebuilt(bodies))


def test_a_truncated_log_is_refused(auditor: Auditor) -> None:
    export = list(auditor.export)
    assert "cut off after 24 leaves" in auditor.refuses(export[:-1])
    assert "cut off after 10 leaves" in auditor.refuses(export[: place_of(auditor.export, 10)])


def test_a_log_cut_off_within_a_line_is_refused(auditor: Auditor) -> None:
    whole = b"".join(lines(auditor.export))
    assert "cut off within it" in auditor.refuses(whole[: len(whole) // 2])


def test_a_log_without_its_last_leaves_is_refused_though_its_end_was_made_to_fit(
    auditor: Auditor,
) -> None:
    cut = place_of(auditor.export, 22)
    export = [*auditor.export[:cut], {"end": 22, "heads": 3, "timestamps": 1}]
    assert "24 leaves were announced, the export has 22" in auditor.refuses(export)
    export[0] = {**export[0], "size": 22}
    assert "no head covers leaves 21 to 21" in auditor.refuses(export)


def test_a_leaf_left_out_is_refused_by_its_number(auditor: Auditor) -> None:
    export = list(auditor.export)
    del export[place_of(auditor.export, 5)]
    assert "leaf 6 stands where leaf 5 belongs" in auditor.refuses(export)


def test_a_leaf_left_out_and_the_rest_numbered_anew_is_refused(auditor: Auditor) -> None:
    bodies = bodies_of(auditor.export)
    del bodies[5]
    export = [*rebuilt(bodies, groups=())[:-2], auditor.head(SIZE)]
    export.append({"end": 23, "heads": 1, "timestamps": 0})
    assert "a head of size 24 stands after 23 leaves" in auditor.refuses(export)


def test_reordered_leaves_are_refused(auditor: Auditor) -> None:
    export = list(auditor.export)
    at = place_of(auditor.export, 8)
    export[at], export[at + 1] = export[at + 1], export[at]
    assert "leaf 9 stands where leaf 8 belongs" in auditor.refuses(export)


def test_reordered_leaves_that_were_numbered_anew_are_refused(auditor: Auditor) -> None:
    export = list(auditor.export)
    at = place_of(auditor.export, 8)
    first, second = (base64.b64decode(export[at + more]["body"]) for more in (0, 1))
    export[at], export[at + 1] = leaf_line(8, second), leaf_line(9, first)
    assert "one of 7 to 11" in auditor.refuses(export)


def test_an_inserted_leaf_is_refused(auditor: Auditor) -> None:
    export = list(auditor.export)
    extra = leaf_bytes("test.made", "user:99", "planted", NOON_MS, {})
    at = place_of(auditor.export, 8)
    export.insert(at, leaf_line(8, extra))
    assert "leaf 8 stands where leaf 9 belongs" in auditor.refuses(export)
    for later in range(at + 1, len(export)):
        if "leaf" in export[later]:
            export[later] = {**export[later], "leaf": export[later]["leaf"] + 1}
    assert "a head of size 12 stands after 13 leaves" in auditor.refuses(export)


def test_a_log_signed_again_by_another_key_is_refused(auditor: Auditor) -> None:
    bodies = [forged(body) for body in bodies_of(auditor.export)]
    told = auditor.refuses(rebuilt(bodies, OTHER_KEY))
    assert "the head of size 7 is not signed by the key given" in told


def test_another_key_under_the_logs_own_key_id_is_refused(auditor: Auditor) -> None:
    export = list(auditor.export)
    parsed = parse(auditor.head(7)["head"])
    wrong = OTHER_KEY.sign(parsed.tree_head.text().encode())
    raw = base64.b64encode(parsed.signatures[0].key_id + wrong).decode()
    at = export.index(auditor.head(7))
    export[at] = {"head": f"{parsed.tree_head.text()}\n— {ORIGIN} {raw}\n"}
    assert "the head of size 7 is not signed by the key given" in auditor.refuses(export)


def test_a_log_stripped_of_its_signatures_is_refused(auditor: Auditor) -> None:
    export = [
        {"head": unsigned(parse(one["head"]).tree_head)} if "head" in one else one
        for one in auditor.export
        if "timestamp" not in one
    ]
    export[-1] = {**export[-1], "timestamps": 0}
    assert "the newest head, of size 24, is not signed" in auditor.refuses(export)


def test_a_head_with_another_time_is_refused(auditor: Auditor) -> None:
    export = list(auditor.export)
    at = export.index(auditor.head(SIZE))
    export[at] = {"head": export[at]["head"].replace(str(NOON_MS), str(NOON_MS - 86_400_000))}
    assert "the head of size 24 is not signed" in auditor.refuses(export)


def test_a_log_rolled_back_behind_a_kept_head_is_refused(auditor: Auditor) -> None:
    shorter = rebuilt(bodies_of(auditor.export)[: KEPT - 1])
    assert auditor.verify(shorter) == 0
    auditor.capture.readouterr()
    told = auditor.refuses(shorter, *auditor.kept)
    assert "rolled back: a head of size 12 was kept, this log has 11 leaves" in told


def test_a_forked_log_is_refused_by_who_kept_a_head_though_the_key_signed_it(
    auditor: Auditor,
) -> None:
    bodies = bodies_of(auditor.export)
    bodies[4] = forged(bodies[4])
    assert auditor.verify(rebuilt(bodies)) == 0
    auditor.capture.readouterr()
    told = auditor.refuses(rebuilt(bodies), *auditor.kept)
    assert "forked: the first 12 leaves are not those of the head that was kept" in told


def test_two_kept_heads_of_one_size_are_told_as_a_fork(auditor: Auditor) -> None:
    bodies = bodies_of(auditor.export)
    bodies[4] = forged(bodies[4])
    other = next(one for one in rebuilt(bodies) if "\n12\n" in one.get("head", ""))
    file = auditor.folder / "other.head"
    file.write_text(other["head"])
    told = auditor.refuses(list(auditor.export), *auditor.kept, "--previous", str(file))
    assert "forked: two heads of size 12 were kept" in told


def test_the_log_of_somebody_else_is_refused_by_its_name(auditor: Auditor) -> None:
    export = list(auditor.export)
    export[0] = {**export[0], "origin": "other.example/audit"}
    assert "is of the log mine.example/audit" in auditor.refuses(export)
    told = auditor.refuses(export, *auditor.kept)
    assert "the kept head is of the log mine.example/audit" in told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"\xff\xfe\n", "not JSON"),
        (b"[" * 50_000 + b"\n", "not JSON"),
        (b"[1]\n", "not an object"),
        (b"{}\n", "neither leaf, head, timestamp nor end"),
        (b'{"leaf": true}\n', "not a number"),
        (b'{"leaf": 3, "body": "%"}\n', "not base64"),
        (b'{"head": 5}\n', "not text"),
        (b'{"head": "a"}\n', "no empty line"),
        (b'{"leaf": 3, "body": "' + b"A" * 600_000 + b'"}\n', "longer than"),
    ],
)
def test_a_line_that_is_none_is_refused(auditor: Auditor, line: bytes, told: str) -> None:
    at = place_of(auditor.export, 3)
    before, after = lines(auditor.export[:at]), lines(auditor.export[at:])
    assert told in auditor.refuses(b"".join([*before, line, *after]))


def test_what_is_no_export_is_refused(auditor: Auditor) -> None:
    assert "cut off" in auditor.refuses(b"")
    assert "not the header" in auditor.refuses(b'{"leaf": 0}\n')
    honest = list(auditor.export)
    assert "something stands after the end" in auditor.refuses([*honest, honest[-1]])


def test_wrong_counts_at_the_end_are_refused(auditor: Auditor) -> None:
    for name, wrong in (("heads", 3), ("timestamps", 9)):
        export = [*auditor.export[:-1], {**auditor.export[-1], name: wrong}]
        assert f"the end tells of {wrong} ({name})" in auditor.refuses(export)


def test_a_timestamp_of_another_head_is_refused(auditor: Auditor) -> None:
    export = list(auditor.export)
    first, second = (at for at, one in enumerate(export) if "timestamp" in one)
    swapped = {**export[second], "response": export[first]["response"]}
    export[second] = swapped
    told = auditor.refuses(export, *auditor.roots)
    assert "the timestamp of the head of size 24: it is a timestamp of something else" in told


def test_a_timestamp_that_stands_behind_another_head_is_refused(auditor: Auditor) -> None:
    export = list(auditor.export)
    at = next(at for at, one in enumerate(export) if "timestamp" in one)
    export[at] = {**export[at], "timestamp": 7}
    assert "the timestamp of size 7 does not follow its head" in auditor.refuses(export)


def test_a_tampered_timestamp_is_refused(auditor: Auditor) -> None:
    export = list(auditor.export)
    at = next(at for at, one in enumerate(export) if "timestamp" in one)
    response = bytearray(base64.b64decode(export[at]["response"]))
    response[-5] ^= 1
    export[at] = {**export[at], "response": base64.b64encode(response).decode()}
    told = auditor.refuses(export, *auditor.roots)
    assert "does not lead to the authority's roots" in told


def test_a_log_stripped_of_its_timestamps_is_refused_by_who_trusts_an_authority(
    auditor: Auditor,
) -> None:
    export = [one for one in auditor.export if "timestamp" not in one]
    export[-1] = {**export[-1], "timestamps": 0}
    assert "no head is timestamped" in auditor.refuses(export, *auditor.roots)


def test_a_hash_that_fits_the_body_by_another_rule_is_refused(auditor: Auditor) -> None:
    """A second preimage by leaving the prefix out (RFC 6962 section 2.1)."""
    export = list(auditor.export)
    at = place_of(auditor.export, 0)
    body = base64.b64decode(export[at]["body"])
    plain = base64.b64encode(hashlib.sha256(body).digest()).decode()
    export[at] = {**export[at], "hash": plain}
    assert "leaf 0: its body does not give its hash" in auditor.refuses(export)
