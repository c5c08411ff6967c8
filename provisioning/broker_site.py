"""A broker for a real site: files under /etc and /var/lib, and what reloads and bounds it.

Nothing is asked of systemd and nothing is started here: what was written is printed with the
commands that take it into use.
"""

import grp
import json
import os
import pwd
import shlex
from dataclasses import dataclass
from pathlib import Path

from provisioning.broker import (
    LOG_TIMESTAMP,
    NO_ACCESS,
    BrokerPlan,
    mosquitto_acl,
    mosquitto_conf,
)
from provisioning.ca.files import replace_file
from shared.errors import BadInputError

PLUGIN = "mosquitto_dynamic_security.so"
_PLUGIN_PLACES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib")
LOG_MIB = 64
LOGS_KEPT = 3
LOG_READERS = "adm"
"""Debian's group of those who read logs; the controller's unit is in it."""


@dataclass(frozen=True, slots=True)
class SitePlan:
    """A broker with the folders it is installed into.

    `etc` holds what only an administrator changes, the broker's own `folder` what it writes.
    """

    broker: BrokerPlan
    etc: Path
    units: Path
    logrotate: Path

    @property
    def configuration(self) -> Path:
        """Where mosquitto's configuration goes."""
        return self.etc / "mosquitto.conf"

    @property
    def reload(self) -> Path:
        """The script that has the broker read again what changed."""
        return self.etc / "reload.sh"

    @property
    def watched(self) -> tuple[Path, ...]:
        """What the broker is to read again when it changes."""
        broker = self.broker
        lists = () if broker.crl_file is None else (broker.crl_file,)
        return (broker.credentials.certificate_file, broker.ca_file, *lists)


def find_plugin() -> Path | None:
    """mosquitto's dynamic-security plug-in as Debian installs it."""
    return next((p for place in _PLUGIN_PLACES if (p := Path(place) / PLUGIN).exists()), None)


def check(plan: SitePlan) -> None:
    """`BadInputError` names the first file that the broker would miss."""
    broker = plan.broker
    wanted = {
        "ca": broker.ca_file,
        "certificate": broker.credentials.certificate_file,
        "key": broker.credentials.key_file,
        "crl": broker.crl_file,
        "plugin": broker.dynamic_security,
    }
    for field, path in wanted.items():
        if path is not None and not path.is_file():
            raise BadInputError(field, f"{path} is not there", "a file")
    names = (*broker.controllers, *broker.observers)
    for name in names:
        if not name or not all(c.isalnum() or c in "-_." for c in name):
            raise BadInputError("client", repr(name)[:80], "letters, digits, - _ and .")
    if len(set(names)) != len(names):
        raise BadInputError("client", "named twice", "each controller and observer once")


def write(plan: SitePlan) -> list[Path]:
    """Writes every file that differs, each in one step; returns those that were written."""
    check(plan)
    broker = plan.broker
    written = [
        path
        for path, text, mode in (
            (plan.configuration, site_conf(plan), 0o644),
            (plan.etc / "acl", mosquitto_acl(broker), 0o600),
            (plan.units / "mosquitto.service.d" / "bes.conf", _unit(plan), 0o644),
            (plan.reload, _reload(plan), 0o755),
            (plan.units / "bes-broker-reload.service", _reload_unit(plan), 0o644),
            (plan.units / "bes-broker-reload.path", _watched(plan), 0o644),
            (plan.units / "bes-broker-reload.timer", _RELOAD_TIMER, 0o644),
            (plan.units / "bes-broker-unread.service", _unread(plan), 0o644),
            (plan.units / "bes-broker-log.service", _rotate(plan), 0o644),
            (plan.units / "bes-broker-log.timer", _ROTATE_TIMER, 0o644),
            (plan.logrotate, _logrotate(plan), 0o644),
        )
        if _differs(path, text) and _put(path, text, mode)
    ]
    state = broker.folder / "dynamic-security.json"
    if broker.dynamic_security is not None and not state.exists():
        _put(state, f"{json.dumps(NO_ACCESS)}\n", 0o600)
        written.append(state)
    _own(plan)
    return written


def site_conf(plan: SitePlan) -> str:
    """As `mosquitto_conf`, with the ACL file in /etc, out of the broker's own reach."""
    text = mosquitto_conf(plan.broker)
    return text.replace(f"acl_file {plan.broker.folder / 'acl'}", f"acl_file {plan.etc / 'acl'}")


def _differs(path: Path, text: str) -> bool:
    return not path.exists() or path.read_text(encoding="utf-8") != text


def _put(path: Path, text: str, mode: int) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, text.encode())
    path.chmod(mode)
    return True


def _own(plan: SitePlan) -> None:
    """What the broker reads and writes is its user's; only root can give files away."""
    if os.geteuid() != 0:
        return
    user = plan.broker.user
    log = plan.broker.log_file
    if log is not None and not log.exists():  # as after each rotation: the controller reads it
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch(0o640, exist_ok=False)  # the folder is the broker's: a link in it is not followed
        _give(log, user, LOG_READERS)
    plan.broker.folder.mkdir(parents=True, exist_ok=True)
    for path in (
        plan.broker.folder,
        plan.etc / "acl",
        plan.broker.folder / "dynamic-security.json",
    ):
        if path.exists():
            _give(path, user, user)
    plan.broker.folder.chmod(0o700)


def _give(path: Path, user: str, group: str) -> None:
    """A link that the broker put there is given away itself, and not what it leads to."""
    ids = pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid
    os.chown(path, *ids, follow_symlinks=False)


def _unit(plan: SitePlan) -> str:
    """Debian's unit reloads with /bin/kill, which a small installation does not have; without a
    reload no revocation and no renewed certificate would reach the broker."""
    return f"""[Service]
ExecStart=
ExecStart=/usr/sbin/mosquitto -c {plan.configuration}
ExecReload=
ExecReload=/bin/sh -c "kill -HUP $MAINPID"
Restart=on-failure
RestartSec=1
LimitNOFILE={2 * plan.broker.limits.connections + 64}
"""


def _reload(plan: SitePlan) -> str:
    """A path unit forgets what changes while its service runs, so that the files are compared with
    when the broker last read them, by each change and once a minute. ctime, for a file that is
    renamed into place keeps its mtime; a second back, for clocks of files are coarse."""
    files = " ".join(shlex.quote(str(path)) for path in plan.watched)
    return f"""#!/bin/sh
# Has the broker read its certificate, roots and revocation lists again, where they changed.
set -eu
read=$RUNTIME_DIRECTORY/read
if [ -e "$read" ] && changed=$(find -L {files} -cnewer "$read") && [ -z "$changed" ]; then
  exit 0
fi
touch -d '1 second ago' "$read.new"
systemctl try-reload-or-restart mosquitto.service || systemctl restart mosquitto.service
mv "$read.new" "$read"
"""


def _reload_unit(plan: SitePlan) -> str:
    return f"""[Unit]
Description=Has the broker read its certificate and revocation lists again
OnFailure=bes-broker-unread.service
# However often they change.
StartLimitIntervalSec=0

[Service]
Type=oneshot
RuntimeDirectory=bes-broker
RuntimeDirectoryPreserve=yes
ExecStart={plan.reload}
"""


_RELOAD_TIMER = """[Unit]
Description=Has the broker read what no change has told of

[Timer]
OnBootSec=1min
OnUnitActiveSec=1min
AccuracySec=10s

[Install]
WantedBy=timers.target
"""


def _unread(plan: SitePlan) -> str:
    """Said in the broker's log, in mosquitto's own words, the controller makes an event of it."""
    stamp = LOG_TIMESTAMP.replace("%", "%%")
    said = "Error: Unable to load certificates and lists: the broker could not be reloaded."
    return f"""[Unit]
Description=Tells the controller that the broker could not be reloaded

[Service]
Type=oneshot
User={plan.broker.user}
ExecStart=/bin/sh -c 'date "+{stamp}: {said}" >>{plan.broker.log_file}'
"""


def _watched(plan: SitePlan) -> str:
    lines = "\n".join(f"PathChanged={path}" for path in plan.watched)
    return f"""[Unit]
Description=A renewed certificate or revocation list reaches the broker at once

[Path]
{lines}
Unit=bes-broker-reload.service

[Install]
WantedBy=multi-user.target
"""


def _logrotate(plan: SitePlan) -> str:
    """Kept as `NAME.1` first, where the controller's watch reads it to its end."""
    return f"""{plan.broker.log_file} {{
    size {LOG_MIB}M
    rotate {LOGS_KEPT}
    missingok
    notifempty
    nocompress
    create 0640 {plan.broker.user} {LOG_READERS}
    postrotate
        /bin/systemctl kill --signal=HUP mosquitto.service
    endscript
}}
"""


def _rotate(plan: SitePlan) -> str:
    return f"""[Unit]
Description=Bounds the broker's log

[Service]
Type=oneshot
ExecStart=/usr/sbin/logrotate --state /var/lib/logrotate/bes-broker {plan.logrotate}
"""


_ROTATE_TIMER = """[Unit]
Description=Bounds the broker's log

[Timer]
OnBootSec=2min
OnUnitActiveSec=1min
AccuracySec=10s

[Install]
WantedBy=timers.target
"""
