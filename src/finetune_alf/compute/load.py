"""How busy this machine is with other work: it decides how long fits take."""

import os

from finetune_alf.compute.cores import usable_cores

BUSY = 0.5
"""The load average a core from which on a machine counts as busy."""

STARVED = 0.7
"""With less processor time than this part of one core, a process that computes all the time waits for others."""


def load_average() -> float:
    """Return how many processes computed or waited for a core, averaged over the last minute."""
    return os.getloadavg()[0]


def busy_note(load: float, cpu_share: float | None = None) -> str | None:
    """Return a sentence about a busy machine; None for one that is not.

    `load` is a load average; `cpu_share` the seconds of processor time for each second of a computation, measured.
    """
    n_cores, is_starved = usable_cores(), cpu_share is not None and cpu_share < STARVED
    if load <= BUSY * n_cores and not is_starved:
        return None
    got = f", and steps that were timed got {cpu_share:.0%} of one core" if is_starved else ""
    compared = "less time on an idle machine" if cpu_share is None else "longer than predicted for free cores"
    return (
        f"This machine is busy: the load average is {load:.1f} on {n_cores} core{'s' * (n_cores != 1)}{got}. "
        f"Fits take {compared}, and several times as long where others compute with many threads."
    )
