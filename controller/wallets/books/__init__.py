"""The books: lots, movements, periods, exports. From the first coin, to the satoshi.

`prices`, `lots` and `movements` are pure. `posting` writes what a block moved and takes it back,
`planning` fixes the relieved lots before anything is signed, `periods` locks, `exported` reads what
`csv_export` and `beancount_export` write.

For each wallet and each cut-off block: opening + in - out - fees = closing, and closing is the sum
of the coins that were unspent at that block. A lot is what was acquired together: one output of one
transaction. Change is no acquisition; what leaves a wallet (outputs to others and fee) relieves
lots, and none more than it holds, which the database itself enforces.
"""
