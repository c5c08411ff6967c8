"""What Bitcoin's consensus and the BIPs fix: types, encodings, keys, digests, wallets' formats.

Pure: no I/O, no clock, and randomness is an argument. Both sides may import it, and it imports
nothing but the rest of `shared`. Bytes are in the order of the wire; what people read (a
transaction id in hex) is turned round only by what is named `hex`, `display` or `of_text`.

Built upwards: `errors`, `hashes`, `wire`, `amounts`, `networks`; then `script`, `transaction`,
`base58`, `bech32`, `address`; then `keys`, `taproot`, `sighash`, `bip32`, `bip39`; and on these
PSBTs, descriptors, miniscript, policies, MuSig2, adaptor signatures and signed messages.

| to add | goes into |
| --- | --- |
| an opcode | `opcodes`; a kind of output script: `script.classify` |
| a network, or a prefix of one | `networks` |
| an account's derivation scheme | `bip32.Purpose` |
| a kind of signature digest | `sighash` |
| an encoding that several formats share | `wire` |
| a kind of error | `errors` |
| a step of getting coins back without the suite | `recovery` and `docs/recovery.md` |
"""
