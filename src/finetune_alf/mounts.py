"""Which file system a path lies on. SQLite and file locks are not reliable on those of a network.

https://www.sqlite.org/howtocorrupt.html#_filesystems_with_broken_or_missing_lock_implementations says why.
"""

import os
import re
from pathlib import Path

from finetune_alf.errors import StorageError

MOUNTS = Path("/proc/self/mounts")
"""Linux's table of mounts; where there is none, nothing is refused."""

NETWORK = {
    *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fhgfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs"),
    *("nfs", "nfs4", "ocfs2", "orangefs", "panfs", "pvfs2", "smb2", "smb3", "smbfs", "wekafs"),
    *("fuse.ceph", "fuse.davfs2", "fuse.gcsfuse", "fuse.glusterfs", "fuse.juicefs", "fuse.rclone", "fuse.s3fs"),
    *("fuse.sshfs", "fuse.sshfs4"),
}
"""The types of file systems that other machines serve, as the table names them."""


def check_local(path: Path, mounts: Path | None = None) -> None:
    """Raise StorageError, with the way out, for a path on a network file system."""
    kind = file_system(path, mounts)
    if kind in NETWORK:
        raise StorageError(
            f"{path}: must be on a disk of this machine, but lies on a network file system ({kind}), where locks and "
            "SQLite files break. Use a local folder as --root, or servers: `tracking.uri` for MLflow takes the URL of "
            "one."
        )


def file_system(path: Path, mounts: Path | None = None) -> str | None:
    """Return the type of the file system that a path lies on, or would; None where the system lists none."""
    try:
        table = (mounts or MOUNTS).read_text("utf-8", "surrogateescape")
    except OSError:
        return None
    place = Path(os.path.realpath(path))
    found: str | None = None
    longest = -1
    for line in table.splitlines():
        _, point, kind, *_ = line.split(" ")
        mount = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), point))
        if place.is_relative_to(mount) and len(mount.parts) >= longest:  # of two at one place the later one is seen
            found, longest = kind, len(mount.parts)
    return found
