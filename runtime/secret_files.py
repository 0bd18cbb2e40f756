"""Files that only this process may read, as this machine keeps them and as Kubernetes mounts them."""

import errno
import os
import stat
from pathlib import Path

_OPEN_TO_OTHERS = "others may read it: chmod 0600 it, and replace it if anybody did"


def read_private(path: Path) -> bytes:
    """The file's bytes; raises ``OSError``, also where others may read or change it."""
    with path.open("rb") as file:
        if not is_private(os.fstat(file.fileno()), os.geteuid()):
            raise PermissionError(errno.EACCES, _OPEN_TO_OTHERS, str(path))
        return file.read()


def is_private(found: os.stat_result, user: int) -> bool:
    """Whether nobody but ``user`` reads the file, and root, who reads everything.

    Kubernetes gives a process that is not root a file of root's that the pod's own group reads (``fsGroup``, mode
    0440). That form is taken, and no other: the owner of a file can never lend it to a group here.
    """
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid == 0 != user:
        return not mode & (stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO)
    return not mode & (stat.S_IRWXG | stat.S_IRWXO)
