"""The lives of intents and transactions."""

from controller.contracts.store.intent_life import (
    INTENTS,
    TRANSACTIONS,
    IntentState,
    TransactionState,
    intents_before,
    transactions_before,
)


def test_an_intent_that_something_was_signed_for_ends_only_with_what_is_final() -> None:
    assert INTENTS[IntentState.SIGNED] == {IntentState.DONE, IntentState.CANCELLED}
    assert intents_before(IntentState.LAPSED) == ["open"]


def test_every_state_has_its_row_and_what_has_ended_goes_nowhere() -> None:
    assert set(INTENTS) == set(IntentState)
    assert set(TRANSACTIONS) == set(TransactionState)
    for ended in (IntentState.DONE, IntentState.CANCELLED, IntentState.LAPSED):
        assert not INTENTS[ended]
    assert not TRANSACTIONS[TransactionState.FINAL] | TRANSACTIONS[TransactionState.REPLACED]


def test_a_transaction_whose_block_is_gone_is_signed_again_and_never_a_draft() -> None:
    assert "broadcast" in transactions_before(TransactionState.SIGNED)
    assert transactions_before(TransactionState.DRAFTED) == []
