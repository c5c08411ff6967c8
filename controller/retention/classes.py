"""The classes of data that are kept for times of their own."""

from enum import StrEnum


class DataClass(StrEnum):
    """A class; the names are in the database and in the API."""

    TELEMETRY = "telemetry"
    """Snapshots as they travelled."""
    MINUTE_ROLLUPS = "minute_rollups"
    QUARTER_HOUR_ROLLUPS = "quarter_rollups"
    HOUR_ROLLUPS = "hour_rollups"
    EVENTS = "events"
    """Events, and alarms that were lowered; gap reports stay with their aggregates."""
    COMMANDS = "commands"
    """Commands that reached a terminal state."""
