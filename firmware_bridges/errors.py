"""How a device can fail to answer. Each error carries the `Reason` that telemetry reports."""

from shared.measured import Reason, Unknown


class DeviceError(Exception):
    """A device could not be read or written; the message says what happened in one line."""

    reason: Reason = Reason.DEVICE_ERROR

    def unknown(self) -> Unknown:
        """The value that every field has which this failure left unread."""
        return Unknown(self.reason, str(self)[:200])


class DeviceTimeoutError(DeviceError):
    """No complete answer within the deadline."""

    reason = Reason.TIMEOUT


class DeviceUnreachableError(DeviceError):
    """No connection, or it was cut off."""

    reason = Reason.UNREACHABLE


class MalformedReplyError(DeviceError):
    """An answer that is not of the protocol's form."""

    reason = Reason.MALFORMED


class DeviceRefusedError(DeviceError):
    """The device understood and said no; `code` is its own code where it has one."""

    reason = Reason.DEVICE_ERROR

    def __init__(self, message: str, code: int | str | None = None) -> None:
        super().__init__(message)
        self.code = code


class NotAuthorisedError(DeviceRefusedError):
    """The device wants credentials that it was not given, or rejects them."""

    reason = Reason.NOT_AUTHORISED


class NotSupportedError(DeviceError):
    """The driver or the device has no such capability; nothing was sent."""

    reason = Reason.NOT_CONFIGURED
