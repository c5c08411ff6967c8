"""The simulator's GraphQL picks what is asked and refuses what it does not understand."""

import pytest

from firmware_bridges.miners.braiins.graphql_reading import QUERIES
from firmware_bridges.simulators.graphql import GraphqlError, parse, select

TREE = {"a": {"b": 1, "c": [{"d": 2, "e": 3}, {"d": 4, "e": 5}]}, "n": None}


@pytest.mark.parametrize(
    ("query", "picked"),
    [
        ("{ a { b } }", {"a": {"b": 1}}),
        ("query Name { a { c { d } } }", {"a": {"c": [{"d": 2}, {"d": 4}]}}),
        ("{ n { x } }", {"n": None}),
        ("{ a { ... on Thing { b } } }", {"a": {"b": 1}}),
        ('{ a(id: "x", n: [1, 2]) { b, c { e } } }', {"a": {"b": 1, "c": [{"e": 3}, {"e": 5}]}}),
        ("{ a { b message } }", {"a": {"b": 1}}),
    ],
)
def test_a_query_gives_what_it_selects(query: str, picked: object) -> None:
    kind, selection = parse(query)
    assert kind == "query"
    assert select(TREE, selection) == picked


def test_a_mutation_with_variables_is_told_apart() -> None:
    kind, selection = parse("mutation ($input: In!) { a(input: $input) { b } }")
    assert kind == "mutation"
    assert selection == {"a": {"b": {}}}


@pytest.mark.parametrize("query", ["", "{", "{ a { b }", "{ a } }", "{ 5 }", "§", "{ ... a }"])
def test_a_document_that_is_none_is_refused(query: str) -> None:
    with pytest.raises(GraphqlError):
        parse(query)


def test_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(GraphqlError, match="'z'"):
        select(TREE, parse("{ a { z } }")[1])


def test_nesting_is_bounded() -> None:
    with pytest.raises(GraphqlError, match="deeply"):
        parse("{ a " * 40 + "}" * 40)


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_every_query_of_the_driver_parses(name: str) -> None:
    assert parse(QUERIES[name])[0] == "query"
