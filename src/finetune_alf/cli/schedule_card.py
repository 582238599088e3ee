"""What a folder or a registry knows of a schedule beyond its document: its comparison, and the figure of its study."""

from pathlib import Path
from typing import TYPE_CHECKING

from finetune_alf.files import write_bytes
from finetune_alf.paths import Paths

if TYPE_CHECKING:
    from finetune_alf.schedules.card import ConfirmedDifference
    from finetune_alf.schedules.schedule import Schedule


def difference_of(schedule: "Schedule", ref: str, root: Path, uri: str | None) -> "ConfirmedDifference | None":
    """Return the confirmed difference from the baseline, of the folder's lock files or the tags of a version."""
    return _of_lock(schedule, root) or (None if uri is None else _of_version(ref, uri))


def picture_of(schedule: "Schedule", root: Path, out: Path | None) -> str | None:
    """Return the link to the figure of the study's importance; it is copied beside the card."""
    study = _study_here(schedule, root)
    figure = Paths(root).importance(study).with_suffix(".png") if study else None
    if figure is None or not figure.exists():
        return None
    if out is None:
        return str(figure)
    write_bytes(out.with_suffix(".importance.png"), figure.read_bytes())
    return out.with_suffix(".importance.png").name


def _study_here(schedule: "Schedule", root: Path) -> str | None:
    """Return the study of this folder that registered a schedule, by the digests of its lock file."""
    return next((path.stem for path in _locks(root) if schedule.digest in path.read_text("utf-8")), None)


def _of_lock(schedule: "Schedule", root: Path) -> "ConfirmedDifference | None":
    study = _study_here(schedule, root)
    if study is None:
        return None
    from finetune_alf.register.lock import read_lock
    from finetune_alf.schedules.card import ConfirmedDifference

    lock = read_lock(Paths(root).schedules(study))
    alias = next((alias for alias, each in lock.schedules.items() if each.digest == schedule.digest), "")
    candidate = lock.candidate(alias)
    found = candidate.from_baseline if candidate else None
    verdict = str(found.verdict) if found and found.verdict else None
    return ConfirmedDifference(found.mean, found.low, found.high, verdict) if found else None


def _of_version(ref: str, uri: str) -> "ConfirmedDifference | None":
    from finetune_alf.schedules.card import ConfirmedDifference
    from finetune_alf.schedules.registry import Registry

    tags = Registry(uri).tags(ref)
    ends = [tags.get(f"alf.difference{end}") for end in ("", ".low", ".high")]
    if None in ends:
        return None
    mean, low, high = (float(str(end)) for end in ends)
    verdict = tags.get("alf.verdict")
    return ConfirmedDifference(mean, low, high, None if verdict in (None, "None") else verdict)


def _locks(root: Path) -> list[Path]:
    return sorted(Paths(root).schedules("any").parent.glob("*.json"))
