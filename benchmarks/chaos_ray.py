"""F13: a Ray cluster of two nodes loses machines, and its head, while a study runs on it."""

import importlib.util
from collections import Counter

from chaos_rows import Row, Run, at_most, none_of

MAX_LOST = 10
HEAD_S = 60.0
GOAL = f"0; {HEAD_S:g} s"


def lost_machines(run: Run) -> list[Row]:
    """F13: the study of tests/study/ray_studies.py; its machine is lost without warning, then a head for good."""
    if importlib.util.find_spec("ray") is None:
        return [Row("not measured: Ray is not installed", "", GOAL, True)]
    from fake_studies import outcome_of, study
    from ray_calls import N_TRIALS, SPEC, happened

    expected = outcome_of(study(run.root / "serial", SPEC))
    n_lost = min(run.n_kills, MAX_LOST)
    rows = []
    for done, root, calls in (
        (f"{n_lost} losses of the machine that has the CPUs", run.root / "machines", [("lose_machines", n_lost)]),
        ("the loss of the head, and a start on a new cluster", run.root / "head", [("lose_head",), ("run_whole",)]),
    ):
        found = [happened(call[0], root, *call[1:]) for call in calls]
        told = Counter(found[-1]["committed"])
        different = sum(one != other for one, other in zip(expected, outcome_of(study(root, SPEC)), strict=True))
        done = f"{done}, in a study of {N_TRIALS} planted fits on Ray, two workers"
        rows += [
            none_of(done, sum(abs(told[n] - 1) for n in {*told, *range(N_TRIALS)}), N_TRIALS, "trials lost or twice"),
            none_of(done, different, N_TRIALS, "trials other than in a study without Ray"),
        ]
        if "message" in found[0]:
            rows.append(at_most(done, found[0]["seconds"], "s until the run says so", HEAD_S))
        run.advance()
    return rows
