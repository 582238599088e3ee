"""Environments on the page: every machine and every set of versions that took part, with its number of fits."""

from collections import Counter
from collections.abc import Callable, Sequence

from finetune_alf.compute import Environment, EnvironmentShare
from finetune_alf.report.numbers import counted

Row = tuple[str, str]


def environment_rows(shares: Sequence[EnvironmentShare], unit: str = "fit") -> list[Row]:
    """Return the rows of a table: machines with device, precision and threads, and versions with their commit."""
    return [("machine", _counts(shares, machine, unit)), ("versions", _counts(shares, versions, unit))]


def environment_line(shares: Sequence[EnvironmentShare]) -> str:
    """Return machines and versions as a sentence each, where there is no table for them."""
    return f"Machine: {_counts(shares, machine, 'fit')}. Versions: {_counts(shares, versions, 'fit')}."


def machine(environment: Environment) -> str:
    """Return device, precision and threads, and the micro-batch where there is one."""
    micro_batch = f", {counted(environment.micro_batch, 'text')} at a time" if environment.micro_batch else ""
    threads = counted(environment.n_threads, "thread")
    return f"{environment.device} in {environment.precision}, {threads}{micro_batch}"


def versions(environment: Environment) -> str:
    """Return the versions of the packages, and the commit where there is a repository."""
    packages = ", ".join(f"{name} {version or 'absent'}" for name, version in environment.versions.items())
    return f"{packages}; commit {environment.git_commit[:12]}" if environment.git_commit else packages


def _counts(shares: Sequence[EnvironmentShare], text_of: Callable[[Environment], str], unit: str) -> str:
    """Return the texts of the environments, each once, with its number of fits where there are several."""
    counts: Counter[str] = Counter()
    for share in shares:
        counts[text_of(share.environment)] += share.n_fits
    if len(counts) == 1:
        return next(iter(counts))
    return "; ".join(f"{text}: {counted(n, unit)}" for text, n in counts.items())
