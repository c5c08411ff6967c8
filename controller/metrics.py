"""The controller's Prometheus metrics, one registry a process."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class ControllerMetrics:
    """Counters of what was committed, refused and sent; gauges of what waits."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        reg = self.registry
        self.rows = Counter(
            "bes_rows_committed", "Rows committed for the first time", ["stream"], registry=reg
        )
        self.repeated = Counter(
            "bes_rows_repeated", "Rows received that were committed before", registry=reg
        )
        self.batches = Counter("bes_batches", "Messages taken", ["channel"], registry=reg)
        self.refused = Counter(
            "bes_messages_refused", "Messages refused", ["channel", "problem"], registry=reg
        )
        self.group_seconds = Histogram(
            "bes_group_commit_seconds", "Time of one ingest transaction", registry=reg
        )
        self.ingest_waiting = Gauge(
            "bes_ingest_waiting_messages", "Messages received and not yet committed", registry=reg
        )
        self.broker_connected = Gauge("bes_broker_connected", "1 while connected", registry=reg)
        self.outbox_waiting = Gauge("bes_outbox_waiting", "Messages to be sent", registry=reg)
        self.published = Counter(
            "bes_messages_published", "Messages the broker has taken", ["kind"], registry=reg
        )
        self.unrolled = Gauge(
            "bes_unrolled_batches", "Batches not yet in the roll-ups", registry=reg
        )
        self.rolled_buckets = Counter("bes_rollups_written", "Roll-up rows written", registry=reg)
        self.rows_deleted = Counter(
            "bes_retention_rows_deleted", "Rows deleted by retention", ["data_class"], registry=reg
        )
        self.audit_leaves = Counter(
            "bes_audit_leaves", "Audit leaves numbered into the tree", registry=reg
        )
        self.audit_timestamps = Counter(
            "bes_audit_timestamps", "Timestamps of heads asked for", ["result"], registry=reg
        )
        self.live_readers = Gauge("bes_live_readers", "Open live streams", registry=reg)
