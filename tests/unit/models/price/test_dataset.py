import gzip
from pathlib import Path

import numpy as np
import pytest

from models.price.dataset import day_ms, examples, read_history
from shared.errors import BadInputError
from shared.price.market import INTERVAL_MS
from tests.unit.shared.price.market_sample import FIRST_DAY, changed, day_after, sample_market

HEADER = "interval_start_utc,rt_usd_per_mwh,da_usd_per_mwh,da_demand_forecast_mw,temp_c_ercot"
ROW = "2024-01-01 00:15:00+00:00,23.49,24.84,45111.7,15.32"


def written(folder: Path, *lines: str) -> Path:
    path = folder / "market.csv.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def test_a_row_is_read_with_its_units_and_an_empty_field_is_unknown(tmp_path: Path) -> None:
    history = read_history(written(tmp_path, HEADER, ROW.replace("15.32", "")))
    (interval,) = history.intervals.values()
    assert interval.start_ms == 1_704_068_100_000
    assert interval.real_time_usd_per_mwh == 23.49
    assert interval.day_ahead_usd_per_mwh == 24.84
    assert interval.demand_forecast_mw == 45111.7
    assert interval.temperature_c is None


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        (("time,price", "1,2"), "header"),
        ((HEADER, ROW.replace("23.49", "cheap")), "row 2, rt_usd_per_mwh"),
        ((HEADER, ROW, ROW.replace("2024-01-01 00:15", "soon")), "row 3, interval_start_utc"),
        ((HEADER, ROW.replace("+00:00", "")), "time"),
        ((HEADER, ROW.replace("23.49", "nan")), "real_time_usd_per_mwh"),
        ((HEADER, ROW, ROW), "start_ms"),
        ((HEADER, ROW.replace("00:15", "00:16")), "start_ms"),
    ],
)
def test_a_bad_file_is_refused_with_row_and_column(
    tmp_path: Path, lines: tuple[str, ...], field: str
) -> None:
    with pytest.raises(BadInputError) as caught:
        read_history(written(tmp_path, *lines))
    assert caught.value.field == field


def test_decision_times_without_their_inputs_or_targets_are_left_out() -> None:
    history = sample_market(3)
    whole = examples(history, FIRST_DAY, day_after(3))
    hole_ms = day_ms(day_after(1))
    holed = examples(changed(history, hole_ms, real_time_usd_per_mwh=None), FIRST_DAY, day_after(3))
    lost = set(whole.as_of_ms) - set(holed.as_of_ms)
    assert lost == {hole_ms + n * INTERVAL_MS for n in range(-7, 17)}


def test_all_targets_of_a_span_lie_in_it() -> None:
    rows = examples(sample_market(3), FIRST_DAY, day_after(3))
    middle = rows.between(day_after(1), day_after(2))
    assert middle.as_of_ms[0] == day_ms(day_after(1))
    assert middle.as_of_ms[-1] == day_ms(day_after(2)) - 8 * INTERVAL_MS
    assert len(middle) == 96 - 7


def test_targets_are_the_prices_that_came_after() -> None:
    history = sample_market(3)
    rows = examples(history, FIRST_DAY, day_after(3))
    as_of_ms = int(rows.as_of_ms[10])
    came = [history.intervals[as_of_ms + n * INTERVAL_MS] for n in range(8)]
    assert rows.prices_usd_per_mwh[10].tolist() == [i.real_time_usd_per_mwh for i in came]
    last = history.intervals[as_of_ms - INTERVAL_MS].real_time_usd_per_mwh
    assert rows.last_usd_per_mwh[10] == last
    assert not np.any(np.isnan(rows.features))


def test_a_span_without_any_usable_row_is_refused() -> None:
    with pytest.raises(BadInputError, match="no usable row"):
        examples(sample_market(1), day_after(30), day_after(31))
