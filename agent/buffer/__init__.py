"""What keeps accepted rows until they are acked: the writer, the disk's limits, the thinning.

Imported by `agent.database`, `agent.recorder`, `agent.uplink` and the runtime; others take the SQL
of `rows` and the errors. `writer` commits groups, `space` is what it does on a full disk, `rows` is
all SQL on the two streams, `births` what the rows mean, `values` what of a reading goes on the
wire, `aggregates` and `thinning` replace old telemetry by gap reports, `keeper` runs them. A new
way to free space belongs in `keeper`; a new statement on the streams in `rows`.
"""
