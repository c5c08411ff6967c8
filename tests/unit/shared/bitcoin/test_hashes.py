"""The hash functions give the published values, RIPEMD-160 on every OpenSSL."""

import hashlib

import pytest

from shared.bitcoin.hashes import hash160, ripemd160, sha256, sha256d, tagged_hash


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"", "9c1185a5c5e9fc54612808977ee8f548b2258d31"),
        (b"abc", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
        (b"message digest", "5d0689ef49d2fae572b881b123a85ffa21595f36"),
        (b"a" * 1_000_000, "52783243c1697bdbe16d37f97f68f08325dc1528"),
    ],
)
def test_ripemd160_gives_its_authors_test_values(message: bytes, digest: str) -> None:
    assert ripemd160(message).hex() == digest


def test_ripemd160_does_not_ask_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str, _data: bytes = b"") -> None:
        raise ValueError(f"unsupported hash type {name}")

    monkeypatch.setattr(hashlib, "new", absent)
    assert ripemd160(b"abc").hex() == "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"
    assert hash160(b"abc") == ripemd160(sha256(b"abc"))


def test_double_sha256_is_sha256_twice() -> None:
    assert sha256d(b"hello") == sha256(sha256(b"hello"))
    assert sha256d(b"hello") != sha256d(b"hellp")


def test_a_tagged_hash_puts_the_tags_hash_before_the_data_twice() -> None:
    tag = hashlib.sha256(b"TapLeaf").digest()
    expected = hashlib.sha256(tag + tag + b"data").digest()
    assert tagged_hash("TapLeaf", b"data") == expected
    assert tagged_hash(b"TapLeaf", b"data") == expected
    assert tagged_hash("TapBranch", b"data") != expected
