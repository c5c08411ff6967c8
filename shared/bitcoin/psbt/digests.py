"""The digest of each signature an input can need, from midstates kept for the whole transaction."""

from dataclasses import dataclass
from functools import cached_property

from shared.bitcoin.errors import PsbtError
from shared.bitcoin.psbt.model import Psbt
from shared.bitcoin.psbt.sighash_types import ecdsa_type, schnorr_type
from shared.bitcoin.psbt.spent import program_of, spent_outputs
from shared.bitcoin.script import ScriptKind, classify, p2wsh
from shared.bitcoin.sighash import SegwitV0Sighash, TaprootSighash, key_hash_code
from shared.bitcoin.taproot import Leaf
from shared.bitcoin.transaction import TxOut


@dataclass(frozen=True)
class Digests:
    """One PSBT's digests. Making it proves every spent output (`spent.spent_outputs`)."""

    psbt: Psbt

    @cached_property
    def spent(self) -> tuple[TxOut, ...]:
        """The outputs spent, in the order of the inputs."""
        return spent_outputs(self.psbt)

    @cached_property
    def _segwit_v0(self) -> SegwitV0Sighash:
        return SegwitV0Sighash(self.psbt.unsigned)

    @cached_property
    def _taproot(self) -> TaprootSighash:
        return TaprootSighash(self.psbt.unsigned, self.spent)

    def program(self, at: int) -> bytes:
        """The output script that decides, through P2SH."""
        return program_of(self.psbt.inputs[at], self.spent[at], at)

    def kind(self, at: int) -> ScriptKind:
        """What input `at` spends, through P2SH."""
        return classify(self.program(at))

    def script_code(self, at: int) -> bytes:
        """BIP143: what a witness v0 signature commits to. Raises PsbtError without its script."""
        program, kind = self.program(at), self.kind(at)
        if kind is ScriptKind.P2WPKH:
            return key_hash_code(program[2:])
        witness_script = self.psbt.inputs[at].witness_script
        if witness_script is None or p2wsh(witness_script) != program:
            raise PsbtError(
                f"inputs[{at}].PSBT_IN_WITNESS_SCRIPT",
                "missing" if witness_script is None else "another script",
                "the script the output commits to",
            )
        return witness_script

    def ecdsa(self, at: int) -> bytes:
        """BIP143, type ALL: 32 bytes."""
        sighash_type = ecdsa_type(self.psbt.inputs[at], at)
        amount_sat = self.spent[at].amount_sat
        return self._segwit_v0.digest(at, self.script_code(at), amount_sat, sighash_type)

    def schnorr(self, at: int, leaf: Leaf | None = None) -> bytes:
        """BIP341 (key path) or, in a leaf of tapscript, BIP342: 32 bytes."""
        sighash_type = schnorr_type(self.psbt.inputs[at], at)
        if leaf is None:
            return self._taproot.digest(at, sighash_type)
        return self._taproot.leaf_digest(at, leaf, sighash_type)
