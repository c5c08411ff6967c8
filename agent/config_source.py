"""Where a configuration comes from: one TOML file, then the environment, then pydantic.

`BES__SECTION__KEY=value` sets one key; an entry of a list is named by its place
(`BES__DEVICE__0__NAME`). Values are text there and pydantic gives them their type. Secrets are
never values: every secret is named by the path of its file.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

PREFIX = "BES__"
MAX_FILE_BYTES = 4 * 1024 * 1024
_MAX_LIST = 5_000

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing wrong: the dotted key, what is wrong with it, and what is allowed."""

    key: str
    problem: str

    def __str__(self) -> str:
        return f"{self.key}: {self.problem}" if self.key else self.problem


class ConfigError(Exception):
    """A configuration that cannot be used; `problems` names every one that was found."""

    def __init__(self, file: Path, problems: tuple[ConfigProblem, ...]) -> None:
        super().__init__("\n".join(f"{file}: {problem}" for problem in problems))
        self.file = file
        self.problems = problems


def load(file: Path, model: type[Model], environment: Mapping[str, str]) -> Model:
    """The configuration in `file`, overridden by `environment`.

    Relative paths of models that use `agent.config_paths` are taken from the file's own folder.
    Raises `ConfigError` with every problem that was found.
    """
    values = read_toml(file)
    try:
        merged = merge_environment(values, environment)
    except ConfigKeyError as error:
        raise ConfigError(file, (ConfigProblem(error.variable, error.problem),)) from error
    try:
        return model.model_validate(merged, context={"folder": file.resolve().parent})
    except ValidationError as error:
        raise ConfigError(file, tuple(problems_of(error, model))) from error


def read_toml(file: Path) -> dict[str, Any]:
    """The tables of a TOML file; `ConfigError` when it cannot be read or is none."""
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        problem = ConfigProblem("", f"cannot be read: {error.strerror}")
        raise ConfigError(file, (problem,)) from error
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(file, (ConfigProblem("", f"larger than {MAX_FILE_BYTES} bytes"),))
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(file, (ConfigProblem("", f"not TOML: {error}"),)) from error


class ConfigKeyError(Exception):
    """An environment variable that names no place in the configuration."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable}: {problem}")
        self.variable = variable
        self.problem = problem


def merge_environment(values: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """A copy of `values` with every `BES__` variable of `environment` put in its place. Pure.

    Raises `ConfigKeyError` for a variable that leads through a value or past the end of a list.
    """
    merged: dict[str, Any] = {key: _copy(value) for key, value in values.items()}
    for variable in sorted(name for name in environment if name.startswith(PREFIX)):
        path = variable[len(PREFIX) :].lower().split("__")
        if not all(path):
            raise ConfigKeyError(variable, "an empty part (allowed: BES__SECTION__KEY)")
        _put(merged, path, environment[variable], variable)
    return merged


def _put(values: dict[str, Any], path: list[str], value: str, variable: str) -> None:
    place: Any = values
    for part in path[:-1]:
        place = _step(place, part, variable)
    if isinstance(place, list):
        place[_index(place, path[-1], variable)] = value
    elif isinstance(place, dict):
        place[path[-1]] = value
    else:
        raise ConfigKeyError(variable, "leads through a value, not a section")


def _step(place: Any, part: str, variable: str) -> Any:
    if isinstance(place, list):
        return place[_index(place, part, variable)]
    if isinstance(place, dict):
        return place.setdefault(part, {})
    raise ConfigKeyError(variable, "leads through a value, not a section")


def _index(place: list[Any], part: str, variable: str) -> int:
    if not part.isdecimal() or int(part) >= min(len(place), _MAX_LIST):
        raise ConfigKeyError(variable, f"{part!r} (allowed: 0 to {len(place) - 1})")
    return int(part)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value


def problems_of(error: ValidationError, model: type[BaseModel]) -> Iterator[ConfigProblem]:
    """Each error of pydantic with its dotted key, what was given and what is allowed."""
    for item in error.errors(include_url=False):
        path = item["loc"]
        key = ".".join(str(part) for part in path)
        kind = item["type"]
        if kind == "extra_forbidden":
            allowed = ", ".join(sorted(allowed_keys(model, path[:-1])))
            yield ConfigProblem(key, f"no such key (allowed: {allowed})")
        elif kind == "missing":
            yield ConfigProblem(key, "missing (allowed: a value must be given)")
        else:
            yield ConfigProblem(key, f"{item['msg']}, not {item['input']!r}"[:500])


def allowed_keys(model: type[BaseModel], path: tuple[str | int, ...]) -> set[str]:
    """The keys of the section at `path`; those of the nearest section above it that is known."""
    here = model
    for part in path:
        if isinstance(part, int) or part not in _fields_by_key(here):
            continue
        found = list(_models_in(_fields_by_key(here)[part]))
        if found:
            here = found[0]
    return set(_fields_by_key(here))


def _fields_by_key(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
