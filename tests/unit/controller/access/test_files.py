"""Files that hold secrets: the token of this host's programs, the key of second factors."""

from pathlib import Path

import pytest

from controller.access.api_tokens import read_token_file
from controller.access.factor_seal import FactorSeal
from shared.errors import BadInputError

TOKEN = "k7" * 20
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # of RFC 6238's examples, in length


def file(folder: Path, content: bytes) -> Path:
    path = folder / "secret"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("around", [b"%s", b"%s\n", b"  %s\r\n", b"\n%s"])
def test_the_token_is_what_stands_in_the_file_without_its_blanks(
    tmp_path: Path, around: bytes
) -> None:
    assert read_token_file(file(tmp_path, around % TOKEN.encode())) == TOKEN


@pytest.mark.parametrize("length", [32, 512])
def test_a_token_of_the_shortest_and_the_longest_length_is_taken(
    tmp_path: Path, length: int
) -> None:
    assert len(read_token_file(file(tmp_path, b"t" * length + b"\n"))) == length


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b" \n" * 40, id="blank"),
        pytest.param(b"t" * 31, id="too short"),
        pytest.param(b"password\n", id="a password"),
        pytest.param(b"t" * 513, id="too long"),
        pytest.param(b"t" * 5_000_000, id="far too long"),
        pytest.param("ü".encode() * 32, id="not ASCII"),
        pytest.param(bytes(range(128, 192)), id="not text"),
        pytest.param(b"t" * 20 + b"\n" + b"t" * 20, id="two lines"),
        pytest.param(b"t" * 20 + b" " + b"t" * 20, id="two words"),
        pytest.param(b"t" * 40 + b"\x00", id="a NUL"),
        pytest.param(b"t" * 40 + b"\x7f", id="a control character"),
    ],
)
def test_a_token_file_that_is_weak_or_odd_is_refused_and_its_content_not_told(
    tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(BadInputError) as refused:
        read_token_file(file(tmp_path, content))
    assert refused.value.field == "http.token_file"
    assert "tttt" not in str(refused.value)
    assert "password" not in str(refused.value)


def test_a_token_file_that_is_missing_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(BadInputError) as refused:
            read_token_file(path)
        assert refused.value.field == "http.token_file"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(bytes(range(31)), id="too short"),
        pytest.param(bytes(32), id="zeros"),
        pytest.param(bytes(range(64)) * 65, id="too long"),
    ],
)
def test_a_key_file_of_second_factors_that_is_weak_is_refused(
    tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(BadInputError) as refused:
        FactorSeal.load(file(tmp_path, content))
    assert refused.value.field == "access.factor_key_file"


def test_a_key_file_of_second_factors_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"access\.factor_key_file"):
        FactorSeal.load(tmp_path / "missing")


def test_a_sealed_secret_opens_for_its_account_with_its_key_only(tmp_path: Path) -> None:
    seal = FactorSeal.load(file(tmp_path, bytes(range(32))))
    kept = seal.seal(7, SECRET)
    assert SECRET not in kept
    assert len(kept) <= 120
    assert seal.seal(7, SECRET) != kept
    assert seal.open(7, kept) == SECRET
    assert seal.open(8, kept) is None
    assert FactorSeal.load(file(tmp_path, bytes(range(1, 33)))).open(7, kept) is None
    assert FactorSeal().open(7, kept) is None


@pytest.mark.parametrize("at", [3, 20, 60, -1])
def test_a_sealed_secret_that_was_changed_does_not_open(at: int) -> None:
    seal = FactorSeal(bytes(32))
    kept = list(seal.seal(7, SECRET))
    kept[at] = "A" if kept[at] != "A" else "B"
    assert seal.open(7, "".join(kept)) is None


@pytest.mark.parametrize("kept", ["v1:", "v1:AAAA", "v1:not base64", "v1:ü"])
def test_what_is_no_sealed_secret_does_not_open(kept: str) -> None:
    assert FactorSeal(bytes(32)).open(7, kept) is None


def test_a_secret_of_before_there_was_a_key_is_read_and_is_to_be_sealed() -> None:
    seal = FactorSeal(bytes(32))
    assert seal.open(7, SECRET) == SECRET
    assert not seal.is_sealed(SECRET)
    assert seal.is_sealed(seal.seal(7, SECRET))


def test_without_a_key_a_secret_is_kept_as_it_is() -> None:
    plain = FactorSeal()
    assert plain.seal(7, SECRET) == SECRET
    assert plain.is_sealed(SECRET)


def test_the_key_is_not_shown() -> None:
    assert "\\x" not in repr(FactorSeal(b"\x01" * 32))
    assert "kept back" in repr(FactorSeal(b"\x01" * 32))
