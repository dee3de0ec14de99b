"""Names of orders: made of an intent, and taken apart again."""

from glmtrader.domain.ids import IntentId, client_order_id, intent_of, strategy_of


def test_an_order_name_gives_back_its_intent_and_its_strategy() -> None:
    """What `client_order_id` joins, `intent_of` and `strategy_of` take apart."""
    name = client_order_id(IntentId("pq-12-345"), leg=1, attempt=20)

    assert (intent_of(name), strategy_of(name)) == ("pq-12-345", "pq")
