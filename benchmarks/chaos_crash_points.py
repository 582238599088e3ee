"""F3: a process ends at each place before and after which something is written, and is started again."""

import json
import os
import subprocess
import sys

from chaos_rows import Row, Run, none_of

PASSAGES = (1, 2, 3)
CRASHED = 137


def named_places(run: Run) -> list[Row]:
    """F3: at each place at its first, second and third passage; a place may be passed fewer times than that."""
    from crashing import SCENARIO_OF

    scenarios = sorted(set(SCENARIO_OF.values()))
    points = [f"{name}:{nth}" for name in SCENARIO_OF for nth in PASSAGES]
    command = [sys.executable, "-c", "import crashing; crashing.main()", str(run.root), *scenarios, *points]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    printed = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    found = {each["point"]: each for each in map(json.loads, printed.splitlines())}
    crashed = [point for point in points if found[point]["exit_codes"][0] == CRASHED]
    failed = sum(found[point]["exit_codes"][1] != 0 for point in points)
    different = sum(
        found[point]["outcome"] != found[SCENARIO_OF[point.partition(":")[0]]]["outcome"] for point in crashed
    )
    unreached = sum(f"{name}:1" not in crashed for name in SCENARIO_OF)
    run.advance()
    done = f"{len(crashed)} ends at {len(SCENARIO_OF)} named places, each followed by another start"
    return [
        none_of(done, unreached, len(SCENARIO_OF), "places that no process ended at"),
        none_of(done, failed, len(points), "next starts that failed"),
        none_of(done, different, len(crashed), "outcomes other than without an end"),
    ]
