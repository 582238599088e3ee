"""A study on a PostgreSQL server under one SIGKILL per second and immediate restarts of the server; fits are planted.

    python benchmarks/chaos_postgres.py --kills-per-s 1 --restarts 2

Eight workers do 20 trials each. Coordinator, workers, database and server are real; the server is started for it, from
`postgres` on PATH or Debian's place. The study, its kills and the counts are those of the tests, with another size.
"""

import argparse
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
sys.path += [str(TESTS), str(TESTS / "study")]

from chaos_on_a_server import Counts, run_chaos  # noqa: E402

from postgres_server import find_programs, running_server  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--trials", type=int, default=160)
    parser.add_argument("--restarts", type=int, default=2)
    parser.add_argument("--kills-per-s", type=float, default=1.0)
    parser.add_argument("--epoch-s", type=float, default=0.5, help="seconds of an epoch; a fit has three")
    parser.add_argument("--seed", type=int, default=20261129)
    args = parser.parse_args()
    programs = find_programs()
    if programs is None:
        raise SystemExit("no PostgreSQL: `postgres` is neither on PATH nor in /usr/lib/postgresql")
    with tempfile.TemporaryDirectory() as folder, running_server(programs) as server:
        counts = run_chaos(
            Path(folder),
            server,
            project="chaos",
            n_workers=args.workers,
            n_trials=args.trials,
            n_restarts=args.restarts,
            max_kills=10_000,
            seed=args.seed,
            period_s=1 / args.kills_per_s,
            epoch_s=args.epoch_s,
        )
        print(table(counts))


def table(counts: Counts) -> str:
    """Return the counts as a Markdown table of one row."""
    cells = {
        "trials complete": counts.n_trials,
        "lost": len(counts.lost),
        "fitted again after the commit": len(counts.twice),
        "coordinators killed": counts.n_coordinator_kills,
        "workers killed": counts.n_worker_kills,
        "server restarts": counts.n_restarts,
        "fits begun": counts.n_fits,
        "seconds": counts.seconds,
        "seed": counts.seed,
    }
    rows = [list(cells), ["---"] * len(cells), [str(value) for value in cells.values()]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()
