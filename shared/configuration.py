"""A process's configuration: one TOML file, then the environment, then its pydantic model. Pure.

`BES__SECTION__KEY=value` overrides one key and `BES__SECTION__TABLE__KEY` one of a nested table.
Several processes share an environment, so a section that the model does not have is passed over;
an unknown key within one that it has is refused. Arrays of tables (`[[device]]`) stand in the
file only. Secrets are never values: each is named by the path of its file.

Each process reads its own file, at most `MAX_FILE_BYTES` and one more, and gives the bytes here.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ValidationError, ValidationInfo

from shared.errors import BadInputError

PREFIX = "BES__"
MAX_FILE_BYTES = 4 * 1024 * 1024
_MAX_VALUE_CHARS = 65_536
_PASSWORD = re.compile(r"(?<=:)[^:/@]+(?=@)")
"""Of a URL; what is between a colon and an @ is not shown anywhere."""
_MAX_SHOWN_CHARS = 500

Model = TypeVar("Model", bound=BaseModel)
KeyPath = tuple[str | int, ...]


def _from_folder(path: Path, info: ValidationInfo) -> Path:
    folder = info.context.get("folder") if isinstance(info.context, dict) else None
    return folder / path if isinstance(folder, Path) else path


ConfigPath = Annotated[Path, AfterValidator(_from_folder)]
"""A path of a file or folder; a relative one starts at the configuration file's own folder."""


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing wrong: the dotted key, and what is wrong with it and allowed."""

    key: str
    problem: str

    def __str__(self) -> str:
        return f"{self.key}: {self.problem}" if self.key else self.problem


class ConfigError(BadInputError):
    """A configuration that cannot be used; `problems` names every one that was found, and the
    error's text has one line each."""

    def __init__(self, file: Path, problems: tuple[ConfigProblem, ...]) -> None:
        keys = ", ".join(problem.key for problem in problems if problem.key)
        super().__init__(f"{file}: {keys}", "; ".join(map(str, problems)), "as each problem says")
        self.args = ("\n".join(f"{file}: {problem}" for problem in problems),)
        self.file = file
        self.problems = problems


def configuration(
    content: bytes, environment: Mapping[str, str], model: type[Model], file: Path, folder: Path
) -> Model:
    """The configuration in `content`, overridden by `environment`.

    `file` is what the content was read from, for the errors to name; relative paths of the type
    `ConfigPath` start at `folder`. The model forbids extra keys.
    Raises `ConfigError` with every problem that was found.
    """
    values = _tables(content, file)
    sources, problems = _override(values, environment, model)
    try:
        validated = model.model_validate(values, context={"folder": folder})
    except ValidationError as error:
        problems.extend(_problems(error, model, sources))
    if problems:
        raise ConfigError(file, tuple(problems))
    return validated


def _tables(content: bytes, file: Path) -> dict[str, Any]:
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(file, (ConfigProblem("", f"larger than {MAX_FILE_BYTES} bytes"),))
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(file, (ConfigProblem("", f"not TOML: {error}"),)) from error


def _override(
    values: dict[str, Any], environment: Mapping[str, str], model: type[BaseModel]
) -> tuple[dict[KeyPath, str], list[ConfigProblem]]:
    """Puts each variable of this model into `values`; which variable set which key, and what is
    wrong with variables."""
    sources: dict[KeyPath, str] = {}
    problems = []
    for variable in sorted(name for name in environment if name.startswith(PREFIX)):
        path = tuple(variable[len(PREFIX) :].lower().split("__"))
        if not all(path):
            problems.append(ConfigProblem(variable, "an empty part (allowed: BES__SECTION__KEY)"))
        elif path[0] in _fields_by_key(model):
            wrong = _unreachable(values, path, model) or _too_long(environment[variable])
            if wrong:
                problems.append(ConfigProblem(variable, wrong))
            else:
                _put(values, path, _value(environment[variable]))
                sources[path] = variable
    return sources, problems


def _unreachable(values: Mapping[str, Any], path: tuple[str, ...], model: type[BaseModel]) -> str:
    """Why no variable can set the key at `path`; empty when one can."""
    place: Any = values
    models: tuple[type[BaseModel], ...] = (model,)
    for depth, part in enumerate(path):
        if not isinstance(place, dict):
            return "leads through a value, not a section"
        found = [fields[part] for fields in map(_fields_by_key, models) if part in fields]
        if any(map(_is_array_of_tables, found)):
            name = ".".join(path[: depth + 1])
            return f"{name} is an array of tables (allowed: in the file only)"
        models = tuple(inner for annotation in found for inner in _models_in(annotation))
        place = place.get(part, {})
    return ""


def _too_long(value: str) -> str:
    return f"longer than {_MAX_VALUE_CHARS} characters" if len(value) > _MAX_VALUE_CHARS else ""


def _put(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    place = values
    for part in path[:-1]:
        place = place.setdefault(part, {})
    place[path[-1]] = value


def _value(text: str) -> Any:
    """JSON or TOML for texts in quotes, arrays, tables and null; everything else as it stands.

    The field itself gives a number or a boolean its type, so a decimal keeps its digits and a
    text field takes `9000` without quotes.
    """
    for parse in (json.loads, _toml_value):
        try:
            value = parse(text)
        except (ValueError, KeyError, RecursionError):
            continue
        if value is None or isinstance(value, str | list | dict):
            return value
    return text


def _toml_value(text: str) -> Any:
    (value,) = tomllib.loads(f"value = {text}").values()
    return value


def _problems(
    error: ValidationError, model: type[BaseModel], sources: Mapping[KeyPath, str]
) -> Iterator[ConfigProblem]:
    """Each error of pydantic with its dotted key and the variable that set it, what was given and
    what is allowed."""
    for item in error.errors(include_url=False):
        path = item["loc"]
        key = ".".join(map(str, path))
        if path in sources:
            key = f"{key} ({sources[path]})"
        kind = item["type"]
        if kind == "extra_forbidden":
            allowed = ", ".join(sorted(_allowed_keys(model, path[:-1])))
            yield ConfigProblem(key, f"no such key (allowed: {allowed})")
        elif kind == "missing":
            yield ConfigProblem(key, "missing (allowed: a value must be given)")
        else:
            told = item["msg"].removeprefix("Value error, ")
            shown = _PASSWORD.sub("***", repr(item["input"]))
            given = "" if isinstance(item["input"], dict | list) else f", not {shown}"
            yield ConfigProblem(key, f"{told}{given}"[:_MAX_SHOWN_CHARS])


def _allowed_keys(model: type[BaseModel], path: KeyPath) -> set[str]:
    """The keys of the section at `path`; those of the nearest section above it that is known."""
    models: Iterable[type[BaseModel]] = (model,)
    for part in path:
        fields = [known[part] for known in map(_fields_by_key, models) if part in known]
        inner = [found for annotation in fields for found in _models_in(annotation)]
        models = inner or models
    return {key for found in models for key in _fields_by_key(found)}


def _fields_by_key(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _is_array_of_tables(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin in {Union, UnionType, Annotated}:
        return any(map(_is_array_of_tables, get_args(annotation)))
    is_array = isinstance(origin, type) and issubclass(origin, list | tuple)
    return is_array and any(True for _ in _models_in(annotation))


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
