"""The controller's configuration file and its overrides."""

from pathlib import Path

import pytest

from controller.config import load_config
from shared.errors import BadInputError

GOOD = """
[database]
url = "sqlite:///controller.db"
[[site]]
id = "site-a"
name = "Site A"
nodes = ["site-a-01"]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "controller.toml"
    path.write_text(text)
    return path


def test_the_environment_overrides_single_keys(tmp_path: Path) -> None:
    environment = {
        "BES__HTTP__PORT": "9000",
        "BES__DATABASE__URL": "sqlite:///other.db",
        "BES__COLLECT__INTERVAL_S": "5",
    }
    config = load_config(written(tmp_path, GOOD), environment)
    assert (config.http.port, config.database.url) == (9000, "sqlite:///other.db")
    assert config.site[0].nodes == ("site-a-01",)


def test_every_problem_is_named(tmp_path: Path) -> None:
    environment = {"BES__SITE__0__ID": "site-b", "BES__HTTP__PROT": "1"}
    with pytest.raises(BadInputError) as refused:
        load_config(written(tmp_path, GOOD + "[clock]\nrate = 0"), environment)
    for key in ("BES__SITE__0__ID", "http.prot", "clock.rate"):
        assert key in refused.value.field


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[database", "controller.toml"),
        ("[http]\nport = 8080", "database"),
        (GOOD + "[http]\nport = 70000", "http.port"),
        (GOOD + "[http]\nprot = 1", "http.prot"),
        (GOOD.replace("site-a-01", "Site A 01"), "site.0.nodes"),
        (GOOD + '[[site]]\nid = "site-b"\nname = "B"\nnodes = ["site-a-01"]', "site"),
        (GOOD + "[clock]\nrate = 0", "clock.rate"),
    ],
)
def test_a_wrong_file_is_refused_with_its_key(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(BadInputError, match=r"controller\.toml") as refused:
        load_config(written(tmp_path, text), {})
    assert named in refused.value.field


def test_the_page_s_library_is_found_from_the_file_or_from_the_checkout(tmp_path: Path) -> None:
    given = load_config(written(tmp_path, GOOD + '[web]\nvendor_dir = "vendor"'), {})
    assert given.web.vendor_dir == tmp_path / "vendor"
    absolute = load_config(written(tmp_path, GOOD), {"BES__WEB__VENDOR_DIR": "/srv/uplot"})
    assert absolute.web.vendor_dir == Path("/srv/uplot")
    default = load_config(written(tmp_path, GOOD), {}).web.vendor_dir
    assert default == Path(__file__).parents[3] / "node_modules" / "uplot" / "dist"


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError):
        load_config(tmp_path / "nowhere.toml", {})
