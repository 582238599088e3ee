"""F6: MLflow's server is killed, stopped or slow while a stage runs; no point is lost or doubled, and no fit waits."""

from chaos_rows import Row, Run, at_most, none_of

N_TRIALS, N_EPOCHS, FIT_S = 112, 15, 0.1
"""With one point of loss an epoch and one of its cost each trial has 16: 1,793 with the one of the parent run."""

FAULTS = ("killed_and_back", "stopped", "slow")
MAX_SLOWER = 0.10
GOAL = "0; 10 % longer"


def failing_server(run: Run) -> list[Row]:
    """F6: a real server behind a proxy; the study's time is compared with that of a stage without a fault."""
    from failing_server import FAULTS as KINDS
    from failing_server import Stage, differences, run_stage, run_stage_through, running
    from fault_proxy import FaultProxy

    from finetune_alf.tracking.store import open_store, tracking_uri

    def stage_of(name: str) -> Stage:
        return Stage(f"study/{name}/0123", N_TRIALS, N_EPOCHS, FIT_S)

    open_store(tracking_uri(run.root))
    rows = []
    with running(run.root) as server:
        proxy = FaultProxy(server.port)
        usual_s = run_stage(stage_of("well"), run.root / "well", proxy.uri).times.trials_s
        for name in FAULTS:
            stage = stage_of(name)
            times = run_stage_through(KINDS[name], stage, run.root / name, server, proxy).times
            found = differences(server, stage)
            done = f"MLflow's server {name.replace('_', ' ')} in a stage of {N_TRIALS} trials"
            rows += [
                none_of(done, found.points, stage.n_points, "points lost or doubled"),
                none_of(done, found.runs + found.unfinished, N_TRIALS + 1, "runs missing, twice or left running"),
                at_most(done, 100 * (times.trials_s / usual_s - 1), "% longer trials", 100 * MAX_SLOWER),
            ]
            run.advance()
        proxy.close()
    return rows
