"""What the site role measures of itself, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Histogram

_LATENESS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_DECISION_S = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0)


class Figures:
    """One set a process; `registry` gives them to the metrics page."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self.lateness = Histogram(
            "bes_site_poll_lateness_seconds",
            "How late polls began after they were due",
            buckets=_LATENESS_S,
            registry=self.registry,
        )
        self.readings = Counter(
            "bes_site_readings", "Devices read successfully", registry=self.registry
        )
        self.failures = Counter(
            "bes_site_reading_failures", "Polls that gave no reading", registry=self.registry
        )
        self.decision = Histogram(
            "bes_site_decision_seconds",
            "Time a curtailment decision took, forecast excluded",
            buckets=_DECISION_S,
            registry=self.registry,
        )
        self.curtailments = Counter(
            "bes_site_curtailments", "Miners that a decision stopped", registry=self.registry
        )
        self.writes = Counter(
            "bes_site_writes", "Device writes by outcome", ["outcome"], registry=self.registry
        )


def quantile_s(histogram: Histogram, level: float) -> float | None:
    """The upper end of the bucket that holds a quantile, in seconds; None before any value.

    Infinity when it lies beyond the last bucket.
    """
    buckets = [
        (float(sample.labels["le"]), sample.value)
        for family in histogram.collect()
        for sample in family.samples
        if sample.name.endswith("_bucket")
    ]
    total = buckets[-1][1]
    if not total:
        return None
    return next(bound for bound, count in buckets if count >= level * total)
