"""Watch-only wallets, their coins, and the books from the first coin.

Pure cores, which anything may import: `coin_life` and `reservation_life` (states as tables),
`selection`, `feerates`, `batching`, `fee_ladder`, `consolidation`, `refresh`, `indices`, `tiers`,
`bip329`, `recovery_kit`, and in `books` prices, lots, movements and exports. Thin runners over the
tables of `controller.storage.tables.wallets`: `registry` (wallets and their scripts), `following`
over `coin_facts` (blocks and unconfirmed transactions, in and out; `chain_listener` ties it to the
chain's follower), `reservations`, `holding`, `opening` (coins to choose from), `labels`, `kits`,
`refreshing`, `outflows`, and in `books` `posting`, `planning`, `periods`, `annotating`. The
contract engine imports from here; nothing here knows contracts or HTTP.

| to add | goes into |
| --- | --- |
| a state of a coin, or what leads to it | `coin_life`, and its diagram in the documents |
| a way of choosing coins | `selection.draws`, and a line in `selection.select` |
| a rule for raising a fee | `fee_ladder` |
| a method of relief | `books.lots` |
| an export of the books | a module in `books`, over `books.exported` |
"""
