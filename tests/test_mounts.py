"""A table of mounts as Linux has it, planted, and what it says of paths."""

from pathlib import Path

import pytest

from finetune_alf import mounts
from finetune_alf.errors import StorageError
from finetune_alf.locks import hold_lock
from finetune_alf.mounts import check_local, file_system

TABLE = r"""/dev/vda1 / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/home /home nfs4 rw,vers=4.2 0 0
//server/share /mnt/all\040data cifs rw 0 0
user@host: /mnt/far fuse.sshfs rw 0 0
/dev/vdb1 /home/fast xfs rw 0 0
tmpfs /mnt/far/near tmpfs rw 0 0
10.0.0.1@tcp:/scratch /scratch lustre rw 0 0
C: /mnt/c 9p rw 0 0
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "mounts"
    path.write_text(TABLE)
    return path


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/project/studies", "ext4"),
        ("/home/me/project/studies/minilm.db", "nfs4"),
        ("/home/fast/project", "xfs"),
        ("/homework", "ext4"),
        ("/mnt/all data/project", "cifs"),
        ("/mnt/far/project", "fuse.sshfs"),
        ("/mnt/far/near/project", "tmpfs"),
        ("/scratch/me", "lustre"),
        ("/mnt/c/Users", "9p"),
    ],
)
def test_a_path_has_the_file_system_of_the_deepest_mount_above_it(table: Path, path: str, kind: str) -> None:
    assert file_system(Path(path), table) == kind


def test_of_two_mounts_at_one_place_the_later_one_counts(table: Path) -> None:
    table.write_text(f"{TABLE}server:/new /srv nfs rw 0 0\ntmpfs /srv tmpfs rw 0 0\n")
    assert file_system(Path("/srv/project"), table) == "tmpfs"


def test_without_a_table_nothing_is_refused(tmp_path: Path) -> None:
    check_local(tmp_path, tmp_path / "no such table")


def test_this_machine_has_a_file_system(tmp_path: Path) -> None:
    assert file_system(tmp_path)


def test_a_lock_on_a_network_file_system_is_refused_with_the_way_out(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.write_text(f"{TABLE}server:/tests {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(mounts, "MOUNTS", table)
    path = tmp_path / "studies" / "minilm.lock"
    with (
        pytest.raises(StorageError, match=r"minilm\.lock: must be on a disk of this machine.*nfs4.*Use a local folder"),
        hold_lock(path),
    ):
        raise AssertionError("unreachable")
    assert not path.exists()
