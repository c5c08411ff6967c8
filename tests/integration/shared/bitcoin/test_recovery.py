"""A decaying treasury's coins are moved by kit and keys alone: the embedded chain judges."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from controller.chain.embedded.chain import EmbeddedChain
from controller.chain.errors import MiningError
from controller.contracts.contract import build
from controller.contracts.parties import OutputForm
from controller.contracts.templates import decaying_treasury
from controller.wallets.recovery_kit import Kit, KitKey, KitWallet, write_kit
from shared.bitcoin import descriptors
from shared.bitcoin.bip32 import ExtendedPrivateKey, KeyOrigin, KeyPath
from shared.bitcoin.errors import AddressError, BitcoinError, TransactionError
from shared.bitcoin.networks import Network
from shared.bitcoin.recovery import Recovery, RecoveryCoin, RecoveryKey, recover
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut
from tests.integration.controller.contracts.parameters import OTHER_ADDRESS, people

ROOT = Path(__file__).parents[4]
NETWORK = Network.REGTEST
A, B, C, EMERGENCY = people()[:4]
DECAY_BLOCKS, EMERGENCY_BLOCKS = 12, 30
AMOUNT_SAT = 1_000_000
PATH = KeyPath.parse("48h/1h/0h/2h")


def key(number: int) -> RecoveryKey:
    """The master key of a person's seed (see `parameters.accounts`)."""
    master = ExtendedPrivateKey.of_seed(bytes((number + 1,)) * 32)
    return RecoveryKey(KeyOrigin(master.fingerprint), master)


def treasury(output: OutputForm) -> str:
    decay = decaying_treasury.Decay(DECAY_BLOCKS, 1, (B, C))
    terms = decaying_treasury.DecayingTreasuryTerms(
        EMERGENCY, 2, (A, B, C), (decay,), EMERGENCY_BLOCKS, output
    )
    contract = build(decaying_treasury.TEMPLATE, terms, NETWORK)
    return str(contract.descriptors[decaying_treasury.PART])


@dataclass
class Funded:
    """A chain on which a treasury was paid twice: to branch 0, index 3, and as change."""

    chain: EmbeddedChain
    descriptor: str
    coins: tuple[RecoveryCoin, ...]

    @property
    def paid_at(self) -> int:
        return self.coins[0].height

    def recovery(self, height: int) -> Recovery:
        return Recovery(self.descriptor, NETWORK, self.coins, OTHER_ADDRESS, 5, height)

    def mine_to(self, height: int) -> None:
        self.chain.mine(height - self.chain.tip().height)


@pytest.fixture(params=OutputForm)
def funded(request: pytest.FixtureRequest) -> Iterator[Funded]:
    chain = EmbeddedChain()
    text = treasury(request.param)
    descriptor = descriptors.parse(text, NETWORK)
    first = chain.mine()[0]
    chain.mine(100)
    reward = chain.block(first.block_hash).transactions[0]
    scripts = (descriptor.at(3, 0).script_pubkey, descriptor.at(0, 1).script_pubkey)
    payment = Transaction(
        2,
        (TxIn(OutPoint(reward.txid, 0)),),
        tuple(TxOut(AMOUNT_SAT, one) for one in scripts),
    )
    height = chain.mine_with([payment]).height
    yield Funded(chain, text, tuple(RecoveryCoin(payment, at, height) for at in range(2)))
    chain.close()


@pytest.mark.parametrize(("number", "wait"), [(1, DECAY_BLOCKS), (3, EMERGENCY_BLOCKS)])
def test_a_block_has_it_at_its_height_and_not_one_before(
    number: int, wait: int, funded: Funded
) -> None:
    opens = funded.paid_at + wait - 1  # the last block before the first that may have it
    with pytest.raises(TransactionError, match=f"height {opens} or above"):
        recover(funded.recovery(opens - 1), [key(number)])
    made = recover(funded.recovery(opens), [key(number)])
    assert made.transaction.outputs[0].amount_sat == made.paid_sat
    assert made.paid_sat + made.fee_sat == 2 * AMOUNT_SAT
    assert 0 <= made.fee_sat - 5 * made.transaction.vsize <= 5 * 2

    funded.mine_to(opens - 1)
    assert funded.chain.test_accept(made.transaction).reason == "non-BIP68-final"
    with pytest.raises(MiningError):
        funded.chain.mine_with([made.transaction])
    funded.mine_to(opens)
    assert funded.chain.broadcast(made.transaction).is_accepted
    funded.chain.mine()
    for coin in funded.coins:
        assert funded.chain.unspent(coin.outpoint, with_mempool=False) is None


def test_the_signers_move_it_at_once(funded: Funded) -> None:
    made = recover(funded.recovery(funded.paid_at), [key(0), key(2)])
    assert funded.chain.broadcast(made.transaction).is_accepted


def test_words_and_keys_are_read_with_their_origins_and_show_nothing() -> None:
    words = "abandon " * 11 + "about"
    master = RecoveryKey.of_mnemonic(words)
    assert str(master.origin) == "73c5da0a"  # BIP86's test vectors
    text = master.key.serialise(NETWORK)
    assert RecoveryKey.parse(text, NETWORK).origin == master.origin
    account = master.key.derive(PATH).serialise(NETWORK)
    below = RecoveryKey.parse(f"[73c5da0a/{PATH}]{account}", NETWORK)
    wanted = master.origin.child(PATH + KeyPath((0, 3)))
    found, same = master.at(wanted), below.at(wanted)
    assert found is not None
    assert same is not None
    assert found.public_key == same.public_key
    assert below.at(master.origin) is None
    assert "prv" not in repr(master) + repr(below)
    for wrong in ("", "[73c5da0a", f"[73c5da0a/x]{account}", account[:-1], f"[{account}"):
        with pytest.raises(BitcoinError) as refused:
            RecoveryKey.parse(wrong, NETWORK)
        assert "prv" not in str(refused.value)


def test_keys_that_open_no_path_and_coins_of_others_are_refused_by_name(funded: Funded) -> None:
    late = funded.recovery(funded.paid_at + 1_000)
    with pytest.raises(TransactionError, match="do not move it"):
        recover(late, [key(0)])
    (payment, *_) = (one.transaction for one in funded.coins)
    foreign = replace(payment, outputs=(TxOut(AMOUNT_SAT, b"\x51"),))
    with pytest.raises(TransactionError, match="another's script"):
        recover(replace(late, coins=(RecoveryCoin(foreign, 0, 1),)), [key(3)])
    with pytest.raises(TransactionError, match="vout"):
        recover(replace(late, coins=(RecoveryCoin(payment, 2, 1),)), [key(3)])
    with pytest.raises(AddressError):
        recover(replace(late, destination="bcrt1q"), [key(3)])
    poor = replace(payment, outputs=(TxOut(1_000, payment.outputs[0].script_pubkey),))
    with pytest.raises(TransactionError, match="left behind the fee"):
        recover(replace(late, coins=(RecoveryCoin(poor, 0, 1),)), [key(3)])


def test_what_is_absurd_is_refused_before_anything_is_derived(funded: Funded) -> None:
    good = funded.recovery(funded.paid_at)
    for change in (
        {"coins": ()},
        {"coins": (*good.coins, *good.coins)},
        {"feerate_sat_per_vb": 0},
        {"feerate_sat_per_vb": 1_001},
        {"height": 500_000_000},
        {"indices": 0},
    ):
        with pytest.raises(TransactionError):
            replace(good, **change)


def test_the_page_is_followed_to_the_letter(funded: Funded, tmp_path: Path) -> None:
    kit = Kit(
        NETWORK,
        (KitWallet("Fjord", "treasury", funded.descriptor, 100, 20),),
        (KitKey("[d34db33f]", "the treasurer", "the safe"),),
    )
    (tmp_path / "kit.json").write_text(write_kit(kit))
    account = key(3).key.derive(PATH).serialise(NETWORK)
    (tmp_path / "keys.txt").write_text(f"[{key(3).origin.child(PATH)}]{account}\n")
    (tmp_path / "coins.txt").write_text(
        "".join(
            f"{one.transaction.serialise().hex()} {one.vout} {one.height}\n" for one in funded.coins
        )
    )
    page = (ROOT / "docs" / "recovery.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    opens = funded.paid_at + EMERGENCY_BLOCKS - 1
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "WALLET": "0",
        "DESTINATION": OTHER_ADDRESS,
        "FEERATE": "5",
        "HEIGHT": str(opens),
    }
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(blocks)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "the treasurer in the safe" in done.stdout
    assert len(json.loads((tmp_path / "scan.json").read_text())) == 40
    assert not (tmp_path / "keys.txt").exists()
    signed = Transaction.parse(bytes.fromhex((tmp_path / "signed.txt").read_text()))
    funded.mine_to(opens)
    assert funded.chain.broadcast(signed).is_accepted


def test_it_needs_nothing_of_the_suite_but_shared_and_three_libraries() -> None:
    program = (
        "import sys; before = set(sys.modules); import shared.bitcoin.recovery; "
        "print(*{one.split('.')[0] for one in set(sys.modules) - before})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    loaded = {one for one in done.stdout.split() if one not in sys.stdlib_module_names}
    libraries = {"coincurve", "wallycore", "btclib_secp256k1"}
    unknown = {one for one in loaded - libraries - {"shared"} if not one.startswith("_")}
    assert unknown <= {"swig_runtime_data4"}  # of wallycore
