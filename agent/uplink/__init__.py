"""Sends what the buffer keeps, hears what the controller has, hands on its commands.

Only the runtime imports it. `plan` decides what is read and sent next and what may be deleted
(pure; its values are in `state` and `happenings`); `link` is one MQTT connection (paho behind
asyncio); `session` works one link, `uplink` runs the plan over one session after another; `batches`
reads rows into payloads; `deleter` removes what is acked. A new decision about sending is a new
event or action of `plan`.
"""
