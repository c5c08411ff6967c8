"""What of a reading goes on the wire. Pure."""

import math
from collections.abc import Mapping, Sequence

from firmware_bridges.metrics import Metric
from shared.errors import BadInputError
from shared.measured import Reason, Scalar, Unknown
from shared.messages.birth import MetricType
from shared.messages.cbor import MAX_INT64
from shared.messages.telemetry import MAX_BODY, encode_body

Values = Sequence[tuple[Metric, Scalar | Unknown]]


def polled(values: Values) -> list[tuple[Metric, Scalar | Unknown]]:
    """The values that the device reports at all, each fit for the wire."""
    return [
        (metric, wire_value(metric, value))
        for metric, value in values
        if not (isinstance(value, Unknown) and value.reason is Reason.NOT_REPORTED)
    ]


def wire_value(metric: Metric, value: Scalar | Unknown) -> Scalar | Unknown:
    """The value; unknown where it is not of the metric's type or no number that JSON can hold."""
    if isinstance(value, Unknown):
        return value
    if isinstance(value, bool) or metric.type is MetricType.BOOL:
        fits = isinstance(value, bool) and metric.type is MetricType.BOOL
    elif isinstance(value, str) or metric.type is MetricType.TEXT:
        fits = isinstance(value, str) and metric.type is MetricType.TEXT
    else:
        fits = isinstance(value, int) or metric.type is MetricType.FLOAT
        if not math.isfinite(value) or (isinstance(value, int) and abs(value) > MAX_INT64):
            return Unknown(Reason.OUT_OF_RANGE, "not a finite 64-bit number")
    return value if fits else Unknown(Reason.MALFORMED, f"not {metric.type.value}")


def body_of(values: Values, aliases: Mapping[Metric, int]) -> bytes:
    """The body of a row; `BadInputError` when it is larger than a row may be."""
    body = encode_body({aliases[metric]: value for metric, value in values})
    if len(body) > MAX_BODY:
        raise BadInputError("metrics", f"{len(body)} bytes", f"at most {MAX_BODY} bytes a snapshot")
    return body
