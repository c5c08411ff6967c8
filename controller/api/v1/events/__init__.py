"""Events: decisions, alarms, state changes, gap reports, replies."""
