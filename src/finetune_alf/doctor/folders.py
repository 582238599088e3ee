"""Free space, locks and who holds them."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from finetune_alf.doctor.finding import Finding
from finetune_alf.locks import lock_holder
from finetune_alf.paths import Paths

LITTLE_SPACE_GIB = 1.0
"""With less than this a disk is called nearly full: a classifier of BERT's size takes 0.4 GiB, and is written twice."""


def space(paths: Paths) -> Iterator[Finding]:
    """Yield the free space of the disks that a project writes to, and the folders that cannot be written."""
    disks: dict[int, list[Path]] = {}
    for folder in (paths.root, paths.studies, paths.results, paths.mlruns):
        if folder.is_dir():
            disks.setdefault(folder.stat().st_dev, []).append(folder)
            if not os.access(folder, os.W_OK):
                yield Finding("disk", str(folder), "cannot be written", "Check the permissions of the folder.")
    for folders in disks.values():
        free = shutil.disk_usage(folders[0]).free / 2**30
        way_out = "Free space on that disk." if free < LITTLE_SPACE_GIB else ""
        yield Finding("disk", str(folders[0].absolute()), f"{free:.1f} GiB free", way_out)


def locks(paths: Paths) -> Iterator[Finding]:
    """Yield the locks that a process holds now, and a lock of DVC's that stands in the way.

    A lock file without a holder is no fault: the system releases a lock when its process ends.
    """
    files = [*paths.studies.glob("*.lock"), *paths.mlruns.glob(".*.lock")]
    held = [(file, holder) for file in sorted(files) if (holder := lock_holder(file))]
    for file, holder in held:
        yield Finding("locks", str(file), f"held by {holder}")
    if not held:
        yield Finding("locks", "of stages", "none is held")
    rwlock = paths.root / ".dvc" / "tmp" / "rwlock"
    if rwlock.is_file() and not rwlock.read_bytes().strip():
        yield Finding("locks", str(rwlock), "empty: DVC refuses every command", "No DVC running? Then delete the file.")
