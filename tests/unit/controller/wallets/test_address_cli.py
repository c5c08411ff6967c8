"""`bes address verify` says yes to the wallet's own addresses, and a clear no to every other."""

import subprocess
import sys
from pathlib import Path

import pytest

from controller.wallets.address_cli import NOT_OWN, OWN, UNUSABLE, main
from controller.wallets.recovery_kit import Kit, KitWallet, write_kit
from shared.bitcoin import address, descriptors
from shared.bitcoin.bip32 import ExtendedPrivateKey
from shared.bitcoin.descriptors import Descriptor
from shared.bitcoin.networks import Network

NETWORK = Network.REGTEST


def descriptor_of(seed: int) -> Descriptor:
    key = ExtendedPrivateKey.of_seed(bytes([seed]) * 32).public.serialise(NETWORK)
    return descriptors.parse(f"wpkh({key}/<0;1>/*)", NETWORK)


def at(seed: int, branch: int, index: int, network: Network = NETWORK) -> str:
    return address.encode(descriptor_of(seed).at(index, branch).script_pubkey, network)


@pytest.fixture
def text_file(tmp_path: Path) -> str:
    path = tmp_path / "descriptor"
    path.write_text(f"{descriptor_of(1)}\n")
    return str(path)


@pytest.fixture
def kit_file(tmp_path: Path) -> str:
    wallets = tuple(
        KitWallet("Fjord", name, str(descriptor_of(seed)), 0, gap_limit)
        for seed, name, gap_limit in ((1, "hot", 5), (2, "cold", 30))
    )
    path = tmp_path / "kit.json"
    path.write_text(write_kit(Kit(NETWORK, wallets, ())))
    return str(path)


@pytest.mark.parametrize(("branch", "index", "use"), [(0, 0, "receive"), (1, 19, "change")])
def test_an_own_address_is_told_with_branch_and_index(
    branch: int, index: int, use: str, text_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["verify", "--descriptor", text_file, "--network", "regtest", at(1, branch, index)]
    assert main(given) == OWN
    assert f"branch {branch} ({use}), index {index} of" in capsys.readouterr().out


def test_anothers_address_and_one_beyond_the_gap_are_a_clear_no(
    text_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["verify", "--descriptor", text_file, "--network", "regtest"]
    for other in (at(2, 0, 0), at(1, 0, 20)):
        assert main([*given, other]) == NOT_OWN
        said = capsys.readouterr().out
        assert said.startswith("NO: ")
        assert "2 x 20" in said
    assert main([*given, "--highest-used", "0", at(1, 0, 20)]) == OWN
    assert main([*given, "--gap-limit", "21", at(1, 0, 20)]) == OWN


def test_a_kit_says_which_of_its_wallets_and_keeps_their_gap_limits(
    kit_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["verify", "--kit", kit_file]
    assert main([*given, at(2, 1, 29)]) == OWN
    assert "index 29 of Fjord/cold on regtest" in capsys.readouterr().out
    assert main([*given, at(1, 0, 5)]) == NOT_OWN
    assert main([*given, "--wallet", "Fjord/hot", at(2, 1, 29)]) == NOT_OWN


@pytest.mark.parametrize(
    "more",
    [
        ["--network", "main", at(1, 0, 0)],
        ["--wallet", "Fjord/lost", at(1, 0, 0)],
        ["--highest-used", "-1", at(1, 0, 0)],
        ["--gap-limit", "0", at(1, 0, 0)],
        [at(1, 0, 0, Network.MAINNET)],
        [at(1, 0, 0)[:-1]],
    ],
)
def test_what_cannot_be_judged_is_neither_a_yes_nor_a_no(
    more: list[str], kit_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--kit", kit_file, *more]) == UNUSABLE
    assert capsys.readouterr().out == ""


def test_a_descriptor_of_one_address_has_no_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = ExtendedPrivateKey.of_seed(bytes([1]) * 32).public.child(0).child_key(0).hex()
    path = tmp_path / "descriptor"
    path.write_text(f"wpkh({key})")
    given = ["verify", "--descriptor", str(path), "--network", "regtest"]
    assert main([*given, at(1, 0, 0)]) == OWN
    assert main([*given, at(1, 0, 1)]) == NOT_OWN
    assert "1 x 1" in capsys.readouterr().out


def test_a_descriptor_without_its_network_and_a_file_that_is_none_are_unusable(
    text_file: str, tmp_path: Path
) -> None:
    assert main(["verify", "--descriptor", text_file, at(1, 0, 0)]) == UNUSABLE
    missing = str(tmp_path / "none")
    assert main(["verify", "--kit", missing, at(1, 0, 0)]) == UNUSABLE
    assert main(["verify", "--kit", text_file, at(1, 0, 0)]) == UNUSABLE


def test_it_imports_nothing_of_database_and_server() -> None:
    program = (
        "import sys, controller.wallets.address_cli; "
        "print([one for one in sys.modules if one.split('.')[0] in "
        "('sqlalchemy', 'fastapi', 'httpx2', 'paho') or one.startswith("
        "('controller.storage', 'controller.app', 'controller.api'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"
