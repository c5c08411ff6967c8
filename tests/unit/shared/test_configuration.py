"""The configuration's sources: TOML, environment, and errors that say what is allowed."""

from decimal import Decimal
from pathlib import Path
from typing import Self

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.configuration import MAX_FILE_BYTES, ConfigError, ConfigPath, configuration
from shared.errors import BadInputError

FILE = Path("/etc/bes/outer.toml")


class Deep(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    price: Decimal = Decimal(0)
    keys: dict[str, ConfigPath] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _either(self) -> Self:
        if self.price and self.keys:
            raise ValueError("a price with keys (allowed: either)")
        return self


class Inner(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    port: int = Field(default=1, ge=1, le=10)
    file: ConfigPath | None = None
    secure: bool = False
    names: tuple[str, ...] = ()
    deep: Deep = Field(default_factory=Deep)
    leaves: list[Deep] | None = None


class Outer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    inner: Inner = Field(default_factory=Inner)
    maybe: Inner | None = None
    many: tuple[Inner, ...] = Field(default=(), alias="each")


def read(text: str, **environment: str) -> Outer:
    return configuration(text.encode(), environment, Outer, FILE, FILE.parent)


def problems(text: str, **environment: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, **environment)
    assert isinstance(caught.value, BadInputError)
    for line in str(caught.value).splitlines():
        assert line.startswith(f"{FILE}: ")
    return [str(problem) for problem in caught.value.problems]


def test_relative_paths_start_at_the_folder_of_the_file() -> None:
    inner = read('name = "a"\n[inner]\nport = 7\nfile = "keys/a.pem"\n').inner
    assert (inner.port, inner.file) == (7, Path("/etc/bes/keys/a.pem"))
    assert read('name = "a"\n[inner]\nfile = "/srv/a.pem"\n').inner.file == Path("/srv/a.pem")


def test_the_environment_overrides_single_keys_and_leaves_the_others() -> None:
    text = 'name = "a"\n[inner]\nport = 7\nsecure = true\n'
    config = read(text, BES__INNER__PORT="9", BES__NAME="b", OTHER__NAME="c")
    assert (config.name, config.inner.port, config.inner.secure) == ("b", 9, True)


@pytest.mark.parametrize(
    ("text", "names"),
    [('["a", "b"]', ("a", "b")), ("['a',]", ("a",)), ("[]", ())],
)
def test_an_array_of_values_is_given_whole_as_json_or_toml(
    text: str, names: tuple[str, ...]
) -> None:
    assert read('name = "a"\n[inner]\nnames = ["z"]', BES__INNER__NAMES=text).inner.names == names


@pytest.mark.parametrize(
    ("given", "kept"),
    [("9000", "9000"), ('"9000"', "9000"), ("'q'", "q"), ("true", "true"), ("a = b", "a = b")],
)
def test_a_text_needs_quotes_only_when_they_are_part_of_it(given: str, kept: str) -> None:
    assert read('name = "a"', BES__NAME=given).name == kept


def test_a_decimal_keeps_every_digit() -> None:
    digits = "0.10000000000000000000000001"
    assert read('name = "a"', BES__INNER__DEEP__PRICE=digits).inner.deep.price == Decimal(digits)


def test_a_nested_key_is_overridden_also_where_the_file_lacks_its_table() -> None:
    config = read('name = "a"', BES__MAYBE__DEEP__PRICE="2", BES__INNER__DEEP__KEYS__AB12="k.pem")
    assert config.maybe is not None
    assert config.maybe.deep.price == 2
    assert config.inner.deep.keys == {"ab12": Path("/etc/bes/k.pem")}


def test_a_table_is_overridden_as_a_whole_by_json_or_toml() -> None:
    text = 'name = "a"\n[inner.deep.keys]\nz = "z.pem"'
    toml = read(text, BES__INNER__DEEP__KEYS='{ "ab" = "a.pem" }').inner.deep.keys
    json = read(text, BES__INNER__DEEP__KEYS='{ "ab": "a.pem" }').inner.deep.keys
    assert toml == json == {"ab": Path("/etc/bes/a.pem")}


def test_null_takes_an_optional_value_away() -> None:
    assert read('name = "a"\n[inner]\nfile = "a.pem"', BES__INNER__FILE="null").inner.file is None


def test_sections_of_other_processes_are_passed_over() -> None:
    config = read('name = "a"', BES__CURTAILMENT__MIN_ON_S="5", BES__NODE="site-a-01")
    assert config == read('name = "a"')


def test_an_unknown_key_within_a_section_is_refused_and_its_variable_named() -> None:
    (problem,) = problems('name = "a"', BES__INNER__PROT="5")
    allowed = "deep, file, leaves, names, port, secure"
    assert problem == f"inner.prot (BES__INNER__PROT): no such key (allowed: {allowed})"
    (problem,) = problems('name = "a"', BES__MAYBE__DEEP__PRIZE="5")
    assert problem.startswith("maybe.deep.prize (BES__MAYBE__DEEP__PRIZE): no such key")
    assert "keys, price" in problem


@pytest.mark.parametrize(
    "variable",
    ["BES__EACH__0__PORT", "BES__EACH", "BES__INNER__LEAVES__0__PRICE", "BES__EACH__PORT"],
)
@pytest.mark.parametrize("text", ['name = "a"\n[[each]]\nport = 2\n', 'name = "a"'])
def test_an_array_of_tables_cannot_be_overridden(variable: str, text: str) -> None:
    (problem,) = problems(text, **{variable: "[]"})
    assert problem.startswith(f"{variable}: ")
    assert "array of tables" in problem


@pytest.mark.parametrize("variable", ["BES__NAME__X", "BES____X", "BES__", "BES__INNER__PORT__X"])
def test_a_variable_that_names_no_place_is_refused(variable: str) -> None:
    (problem,) = problems('name = "a"\n[inner]\nport = 1', **{variable: "1"})
    assert problem.startswith(f"{variable}: ")


def test_a_value_of_unbounded_length_is_refused() -> None:
    (problem,) = problems('name = "a"', BES__NAME="x" * 65_537)
    assert problem.startswith("BES__NAME: longer than")


def test_a_wrong_value_is_named_with_what_is_allowed() -> None:
    (problem,) = problems('name = "a"\n[inner]\nport = 70\n')
    assert problem.startswith("inner.port: ")
    assert "less than or equal to 10" in problem
    assert "70" in problem
    (problem,) = problems('name = "a"', BES__INNER__PORT="9\nname = 'b'")
    assert problem.startswith("inner.port (BES__INNER__PORT): ")


def test_what_a_model_refuses_as_a_whole_is_said_without_repeating_it_all() -> None:
    (problem,) = problems('name = "a"\n[inner.deep]\nprice = 1\nkeys = { ab = "k.pem" }\n')
    assert problem == "inner.deep: a price with keys (allowed: either)"


def test_an_unknown_key_is_named_with_the_keys_there_are() -> None:
    (problem,) = problems('name = "a"\n[inner.deep]\nprize = 7\n')
    assert problem == "inner.deep.prize: no such key (allowed: keys, price)"
    (problem,) = problems('name = "a"\n[[each]]\n[each.deep]\nprize = 7\n')
    assert problem == "each.0.deep.prize: no such key (allowed: keys, price)"


def test_every_problem_of_file_and_environment_is_reported_at_once() -> None:
    found = problems("[inner]\nport = 0\nextra = 1\n", BES__INNER__FILE__X="1", BES__EACH="[]")
    assert {problem.split(":")[0] for problem in found} == {
        "name", "inner.port", "inner.extra", "BES__EACH", "inner.file",
    }  # fmt: skip


def test_the_error_names_the_file_and_every_key() -> None:
    with pytest.raises(ConfigError) as caught:
        read("[inner]\nport = 0\n")
    assert caught.value.field.startswith(f"{FILE}: ")
    assert set(caught.value.field.removeprefix(f"{FILE}: ").split(", ")) == {"inner.port", "name"}


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"a = " + b"[" * 5_000])
def test_a_file_that_is_no_toml_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(ConfigError, match=r"outer\.toml: not TOML: "):
        configuration(content, {}, Outer, FILE, FILE.parent)


def test_a_file_of_unbounded_size_is_refused() -> None:
    with pytest.raises(ConfigError, match="larger than"):
        configuration(b"#" * (MAX_FILE_BYTES + 1), {}, Outer, FILE, FILE.parent)
