"""Whatever stands in the environment, a configuration is valid or refused with its problems."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from shared.configuration import PREFIX, ConfigError, configuration


class Inner(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    port: int = 1
    names: tuple[str, ...] = ()
    keys: dict[str, int] = Field(default_factory=dict)


class Outer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()


FILE = Path("outer.toml")
TEXT = b'name = "a"\n[inner]\nport = 2\n[[many]]\nport = 3\n'
PARTS = st.sampled_from(["NAME", "INNER", "PORT", "NAMES", "KEYS", "MANY", "0", "X", "", "name"])
VARIABLES = st.lists(PARTS, min_size=1, max_size=4).map(lambda parts: PREFIX + "__".join(parts))
VALUES = st.one_of(st.text(max_size=40), st.sampled_from(["1", "[]", "{}", '{"x": 1}', "null"]))


@given(st.dictionaries(VARIABLES, VALUES, max_size=6))
def test_it_is_valid_or_refused_with_a_named_problem(environment: dict[str, str]) -> None:
    try:
        config = configuration(TEXT, environment, Outer, FILE, FILE.parent)
    except ConfigError as refused:
        named = refused.problems
    else:
        named = ()
        assert config.many == configuration(TEXT, {}, Outer, FILE, FILE.parent).many
    assert all(problem.key and problem.problem for problem in named)


@given(
    st.text(st.characters(categories=["Lu", "Ll", "Nd"]), min_size=1, max_size=8).filter(
        lambda section: section.lower() not in Outer.model_fields
    ),
    st.text(max_size=20),
)
def test_a_section_of_another_process_changes_nothing(section: str, value: str) -> None:
    environment = {f"{PREFIX}{section}__KEY": value}
    changed = configuration(TEXT, environment, Outer, FILE, FILE.parent)
    assert changed == configuration(TEXT, {}, Outer, FILE, FILE.parent)
