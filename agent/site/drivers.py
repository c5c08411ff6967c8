"""Finds device drivers: entry points of the group `bes.drivers` that name a `Driver`."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from firmware_bridges.protocol import Driver

GROUP = "bes.drivers"


@cache
def known_drivers() -> Mapping[str, EntryPoint]:
    """The installed drivers by name; nothing is imported."""
    return {point.name: point for point in entry_points(group=GROUP)}


@cache
def load_driver(name: str) -> Driver:
    """The driver of that name; `ValueError` naming those there are when there is none."""
    point = known_drivers().get(name)
    if point is None:
        raise ValueError(f"no driver {name!r} (allowed: {', '.join(sorted(known_drivers()))})")
    driver = point.load()
    if not isinstance(driver, Driver):
        raise TypeError(f"the entry point {name} of {GROUP} names no Driver")
    return driver


def validated_settings(driver: Driver, settings: Mapping[str, Any], folder: Path) -> BaseModel:
    """A device's settings by its driver's model, relative paths taken from `folder`.

    `pydantic.ValidationError` (a ValueError) names what is wrong.
    """
    fields = driver.settings.model_fields
    anchored = {
        key: str(folder / value)
        if isinstance(value, str) and key in fields and _is_path(fields[key].annotation)
        else value
        for key, value in settings.items()
    }
    return driver.settings.model_validate(anchored)


def _is_path(annotation: object) -> bool:
    return annotation is Path or Path in get_args(annotation)
