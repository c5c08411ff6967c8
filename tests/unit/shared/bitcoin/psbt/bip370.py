"""The PSBTs of BIP370's test vectors, written as its one transaction and what each case changes.

The BIP repeats the same maps in every vector; here they stand once, and a case names the records it
adds, replaces or takes away. The previous transaction's txid, which the input names, checks them.
"""

from dataclasses import dataclass, field

Map = dict[str, str]
"""Key and value in hex."""

UNSIGNED = (
    "02000000010b0ad921419c1c8719735d72dc739f9ea9e0638d1fe4c1eef0f9944084815fc80000000000feffffff"
    "020008af2f00000000160014c430f64c4756da310dbd1a085572ef299926272c8bbdeb0b00000000160014a07dac"
    "8ab6ca942d379ed795f835ba71c9cc688500000000"
)
PREVIOUS = (
    "0200000001c1aa256e214b96a1822f93de42bff3b5f3ff8d0519306e3515d7515a5e805b120000000000ffffffff"
    "0118c69a3b00000000160014b0a3af144208412693ca7d166852b52db0aef06e00000000"
)
FINAL_WITNESS = (
    "02473044022005275a485734e0ae1f3b971237586f0e72dc85833d278c0e474cd23112c0fa5e02206b048c83cebc"
    "3c41d0b93cc7da76185cedbd030d005b08018be2b98bbacbdf7b012103760dcca05f3997dc65b293060f7f29f151"
    "4c8c527048e12802b041d4fc340a27"
)
UTXO = "18c69a3b00000000160014b0a3af144208412693ca7d166852b52db0aef06e"
TXID = "0b0ad921419c1c8719735d72dc739f9ea9e0638d1fe4c1eef0f9944084815fc8"

GLOBAL_0: Map = {"00": UNSIGNED}
INPUT_0: Map = {"00": PREVIOUS, "01": UTXO, "08": FINAL_WITNESS}
OUTPUTS_0: tuple[Map, Map] = (
    {
        "0202d601f84846a6755f776be00e3d9de8fb10acc935fb83c45fb0162d4cad5ab792": (
            "f69d873e540000800100008000000080000000002a000000"
        )
    },
    {
        "02036efe2c255621986553ba9d65c3ddc64165ca1436e05aa35a4c6eb02451cf796d": (
            "f69d873e5400008001000080000000800100000062000000"
        )
    },
)

GLOBAL_2: Map = {"02": "02000000", "04": "01", "05": "02", "fb": "02000000"}
INPUT_2: Map = {"00": PREVIOUS, "01": UTXO, "0e": TXID, "0f": "00000000"}
OUTPUTS_2: tuple[Map, Map] = (
    {
        **OUTPUTS_0[0],
        "03": "0008af2f00000000",
        "04": "0014c430f64c4756da310dbd1a085572ef299926272c",
    },
    {
        "0202e36fbff53dd534070cf8fd396614680f357a9b85db7340bf1cfa745d2ad7b340": (
            "f69d873e5400008001000080000000800100000064000000"
        ),
        "03": "8bbdeb0b00000000",
        "04": "00144dd193ac964a56ac1b9e1cca8454fe2f474f8513",
    },
)
SEQUENCE = {"10": "feffffff"}


@dataclass(frozen=True)
class Case:
    """One vector: its name in the BIP, its version, what it changes; None takes a record away."""

    name: str
    version: int
    in_global: dict[str, str | None] = field(default_factory=dict)
    in_input: dict[str, str | None] = field(default_factory=dict)
    in_output: dict[str, str | None] = field(default_factory=dict)
    error: str = ""

    @property
    def data(self) -> bytes:
        """The PSBT."""
        if self.version == 0:
            base_global, base_input, outputs = GLOBAL_0, INPUT_0, OUTPUTS_0
        else:
            base_global, base_input, outputs = GLOBAL_2, INPUT_2, OUTPUTS_2
        return psbt_of(
            changed(base_global, self.in_global),
            [changed(base_input, self.in_input)],
            [changed(outputs[0], self.in_output), outputs[1]],
        )


def changed(base: Map, changes: dict[str, str | None]) -> Map:
    merged = {**base, **changes}
    return {key: value for key, value in merged.items() if value is not None}


def psbt_of(in_global: Map, inputs: list[Map], outputs: list[Map]) -> bytes:
    """A PSBT of these maps, keys in the order given; all lengths below 253 or of two bytes."""
    return b"psbt\xff" + b"".join(map(map_of, [in_global, *inputs, *outputs]))


def map_of(records: Map) -> bytes:
    parts = []
    for key, value in records.items():
        for hexed in (key, value):
            content = bytes.fromhex(hexed)
            long = b"\xfd" + len(content).to_bytes(2, "little")
            parts.append((bytes([len(content)]) if len(content) < 253 else long) + content)
    return b"".join(parts) + b"\x00"


INVALID = (
    Case("v0, PSBT_GLOBAL_VERSION 2", 0, {"fb": "02000000"}, error="GLOBAL_UNSIGNED_TX"),
    Case("v0, PSBT_GLOBAL_TX_VERSION", 0, {"02": "02000000"}, error="GLOBAL_TX_VERSION"),
    Case("v0, PSBT_GLOBAL_FALLBACK_LOCKTIME", 0, {"03": "02000000"}, error="FALLBACK_LOCKTIME"),
    Case("v0, PSBT_GLOBAL_INPUT_COUNT", 0, {"04": "02"}, error="GLOBAL_INPUT_COUNT"),
    Case("v0, PSBT_GLOBAL_OUTPUT_COUNT", 0, {"05": "02"}, error="GLOBAL_OUTPUT_COUNT"),
    Case("v0, PSBT_GLOBAL_TX_MODIFIABLE", 0, {"06": "00"}, error="GLOBAL_TX_MODIFIABLE"),
    Case("v0, PSBT_IN_PREVIOUS_TXID", 0, {}, {"0e": TXID}, error="IN_PREVIOUS_TXID"),
    Case("v0, PSBT_IN_OUTPUT_INDEX", 0, {}, {"0f": "00000000"}, error="IN_OUTPUT_INDEX"),
    Case("v0, PSBT_IN_SEQUENCE", 0, {}, {"10": "ffffffff"}, error="IN_SEQUENCE"),
    Case("v0, PSBT_IN_REQUIRED_TIME_LOCKTIME", 0, {}, {"11": "8c8dc462"}, error="TIME_LOCKTIME"),
    Case("v0, PSBT_IN_REQUIRED_HEIGHT_LOCKTIME", 0, {}, {"12": "10270000"}, error="HEIGHT_LOCK"),
    Case("v0, PSBT_OUT_AMOUNT", 0, {}, {}, {"03": "0008af2f00000000"}, error="OUT_AMOUNT"),
    Case("v0, PSBT_OUT_SCRIPT", 0, {}, {}, {"04": "0014" + "c4" * 20}, error="OUT_SCRIPT"),
    Case("v2, no PSBT_GLOBAL_INPUT_COUNT", 2, {"04": None}, error="GLOBAL_INPUT_COUNT"),
    Case("v2, no PSBT_GLOBAL_OUTPUT_COUNT", 2, {"05": None}, error="GLOBAL_OUTPUT_COUNT"),
    Case("v2, no PSBT_GLOBAL_TX_VERSION", 2, {"02": None}, error="GLOBAL_TX_VERSION"),
    Case("v2, PSBT_GLOBAL_UNSIGNED_TX", 2, {"00": UNSIGNED}, error="GLOBAL_UNSIGNED_TX"),
    Case("v2, no PSBT_IN_PREVIOUS_TXID", 2, {}, {"0e": None}, error="IN_PREVIOUS_TXID"),
    Case("v2, no PSBT_IN_OUTPUT_INDEX", 2, {}, {"0f": None}, error="IN_OUTPUT_INDEX"),
    Case("v2, no PSBT_OUT_AMOUNT", 2, {}, {}, {"03": None}, error="OUT_AMOUNT"),
    Case("v2, no PSBT_OUT_SCRIPT", 2, {}, {}, {"04": None}, error="OUT_SCRIPT"),
    Case("v2, time lock below 500000000", 2, {}, {"11": "ff64cd1d"}, error="TIME_LOCKTIME"),
    Case("v2, height lock of 500000000", 2, {}, {"12": "0065cd1d"}, error="HEIGHT_LOCKTIME"),
)

_BARE: dict[str, str | None] = {"00": None, "01": None}
_LOCKS: dict[str, str | None] = {**SEQUENCE, "11": "8c8dc462", "12": "10270000"}
VALID = (
    Case("required fields only", 2, {}, _BARE, {next(iter(OUTPUTS_0[0])): None}),
    Case("updated", 2),
    Case("with PSBT_IN_SEQUENCE", 2, {}, {**SEQUENCE}),
    Case("with all lock time fields", 2, {"03": "00000000"}, _LOCKS),
    Case("inputs modifiable", 2, {"06": "01"}),
    Case("outputs modifiable", 2, {"06": "02"}),
    Case("has SIGHASH_SINGLE", 2, {"06": "04"}),
    Case("an undefined flag", 2, {"06": "08"}),
    Case("inputs and outputs modifiable", 2, {"06": "03"}),
    Case("inputs modifiable, has SIGHASH_SINGLE", 2, {"06": "05"}),
    Case("outputs modifiable, has SIGHASH_SINGLE", 2, {"06": "06"}),
    Case("all three flags", 2, {"06": "07"}),
    Case("all flags", 2, {"06": "ff"}),
    Case("all fields", 2, {"03": "00000000", "06": "03"}, _LOCKS),
)
