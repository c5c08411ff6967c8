"""Finds templates: entry points of the group `bes.contracts` that name a `Template`."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from controller.contracts.contract import Template
from controller.contracts.errors import UnknownNameError

GROUP = "bes.contracts"


@cache
def known_templates() -> Mapping[str, EntryPoint]:
    """The installed templates by name; nothing is imported."""
    return {point.name: point for point in entry_points(group=GROUP)}


@cache
def load_template(name: str) -> Template[Any]:
    """The template of that name; UnknownNameError naming those there are when there is none."""
    point = known_templates().get(name)
    if point is None:
        known = ", ".join(sorted(known_templates())) or "none is installed"
        raise UnknownNameError("template", repr(name)[:60], known)
    template = point.load()
    if not isinstance(template, Template) or template.name != name:
        raise TypeError(f"the entry point {name} of {GROUP} names no Template of that name")
    return template
