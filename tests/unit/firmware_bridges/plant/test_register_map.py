"""Register maps as data files."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from firmware_bridges.modbus.register_map import (
    MAX_MAP_BYTES,
    RegisterMap,
    load_map,
    shipped_maps,
)
from shared.errors import BadInputError

GROUP: dict[str, Any] = {
    "name": "totals",
    "table": "input",
    "address": 0,
    "count": 4,
    "points": [{"field": "power_w", "at": 0, "type": "f32"}],
}
MAP: dict[str, Any] = {
    "name": "mine",
    "title": "My meter",
    "source": "My vendor's manual, section 3",
    "kind": "meter",
    "groups": [GROUP],
}


def test_the_issue_s_devices_have_maps() -> None:
    assert {
        "eastron_sdm630",
        "schneider_pm5000",
        "sunspec_meter",
        "metered_pdu_24",
        "waveshare_relay_8",
        "breaker_aux_contact",
    } <= set(shipped_maps())


@pytest.mark.parametrize("name", shipped_maps())
def test_a_shipped_map_bears_its_name_and_source(name: str) -> None:
    register_map = load_map(name)
    assert register_map.name == name
    assert len(register_map.source) > 40


@pytest.mark.parametrize("name", shipped_maps())
def test_a_shipped_map_is_read_in_few_requests(name: str) -> None:
    every_cycle = [group for group in load_map(name).groups if not group.once]
    assert len(every_cycle) <= 3


def test_sunspec_covers_models_201_to_204() -> None:
    layout = load_map("sunspec_meter").sunspec
    assert layout is not None
    assert layout.meter.models == (201, 202, 203, 204)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"groups": [GROUP | {"count": 1}]}, "reaches beyond"),
        ({"groups": [GROUP | {"count": 126}]}, "less than or equal to 125"),
        ({"groups": [GROUP, GROUP | {"name": "other", "address": 40}]}, "differ in count"),
        ({"groups": []}, "needs groups"),
        ({"kind": "switch"}, "outlets belongs to kind switch"),
        ({"source": ""}, "at least 10"),
        ({"colour": "grey"}, "Extra inputs"),
        (
            {"groups": [GROUP | {"points": [{"field": "wattage", "at": 0, "type": "f32"}]}]},
            "unknown field 'wattage'",
        ),
        (
            {"groups": [GROUP | {"points": [{"field": "power_w", "at": 0, "type": "text"}]}]},
            "words belongs to type text",
        ),
    ],
)
def test_a_map_that_contradicts_itself_is_refused(change: dict[str, Any], complaint: str) -> None:
    RegisterMap.model_validate(MAP)
    with pytest.raises(ValidationError, match=complaint):
        RegisterMap.model_validate(MAP | change)


def test_a_point_of_an_outlet_that_does_not_exist_is_refused() -> None:
    outlets = {"count": 2, "coil": 0, "state": 0}
    points = [{"field": "outlet.3.power_w", "at": 0, "type": "u16"}]
    data = MAP | {"kind": "switch", "outlets": outlets, "groups": [GROUP | {"points": points}]}
    with pytest.raises(ValidationError, match="outlet 3 is beyond"):
        RegisterMap.model_validate(data)


def test_an_operator_s_own_map_is_read_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\ntitle = "Mine"\nsource = "My vendor, section 3"\nkind = "meter"\n'
        '[[groups]]\nname = "all"\ntable = "holding"\naddress = 7\ncount = 2\n'
        'points = [{ field = "power_w", at = 0, type = "f32" }]\n'
    )
    assert load_map(str(path)).groups[0].address == 7


@pytest.mark.parametrize("name", ["nothing", "../maps/eastron_sdm630.toml", "relative.toml"])
def test_an_unknown_map_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(BadInputError) as refused:
        load_map(name)
    assert refused.value.field == "map"
    assert "eastron_sdm630" in refused.value.allowed


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"name = ", "map: .*allowed: a TOML file"),
        (b'name = "x"', "title: Field required"),
        (b"\xff\xfe", "codec can't decode"),
        (b"#" * (MAX_MAP_BYTES + 1), "too long"),
    ],
)
def test_a_file_that_is_no_map_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=complaint):
        load_map(str(path))


def test_a_map_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="No such file"):
        load_map(str(tmp_path / "absent.toml"))
