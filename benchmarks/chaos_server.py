"""F5: a study on a PostgreSQL server, with a SIGKILL a second and immediate restarts of the server."""

from chaos_rows import Row, Run, none_of

N_WORKERS, N_TRIALS, N_RESTARTS = 8, 160, 2
PERIOD_S, EPOCH_S = 1.0, 0.5
GOAL = f"{N_TRIALS} complete; 0"


def on_a_server(run: Run) -> list[Row]:
    """F5: eight workers do planted fits; `chaos_postgres.py` has other sizes."""
    from chaos_on_a_server import run_chaos

    from postgres_server import find_programs, running_server

    programs = find_programs()
    if programs is None:
        return [Row("nothing: there is no PostgreSQL on this machine", "not measured", GOAL, True)]
    with running_server(programs) as server:
        counts = run_chaos(
            run.root / "study",
            server,
            project="chaos",
            n_workers=N_WORKERS,
            n_trials=N_TRIALS,
            n_restarts=N_RESTARTS,
            max_kills=run.n_kills,
            seed=run.rng.randrange(2**31),
            period_s=PERIOD_S,
            epoch_s=EPOCH_S,
        )
    run.advance()
    done = (
        f"{counts.n_coordinator_kills} SIGKILLs of coordinators, {counts.n_worker_kills} of workers and "
        f"{counts.n_restarts} restarts of the server in a study of {N_TRIALS} planted fits, {N_WORKERS} workers"
    )
    return [
        none_of(done, N_TRIALS - counts.n_trials, N_TRIALS, "trials that are not complete"),
        none_of(done, len(counts.lost), N_TRIALS, "acknowledged trials lost"),
        none_of(done, len(counts.twice), N_TRIALS, "trials fitted again after their commit"),
    ]
