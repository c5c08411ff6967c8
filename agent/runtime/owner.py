"""Root does what it does in another user's folder as that user.

The agent's data folder belongs to the agent, which may have put links there: followed by root, they
would lead anywhere. So root takes the owner's rights for as long as it works there, and has no more
than the agent itself.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def acting_as_owner(folder: Path) -> Iterator[None]:
    """Until it ends, this process has the rights of whom the folder belongs to; only root needs to
    change for that. The whole process changes: nothing else may go on in it.

    `NotADirectoryError` when root is given a link: whose the folder behind it is says nothing of
    who led there.
    """
    owner = folder.lstat()
    if os.geteuid() == 0 and not stat.S_ISDIR(owner.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "a link, or no folder", str(folder))
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    os.setgroups([])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)
