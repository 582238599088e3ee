"""A study on a server that is killed, and whose server is restarted, ends as one that was not.

Each run prints its seed; KILL_SEED=… repeats it.
"""

import os
import random
import uuid
from pathlib import Path
from typing import Any

import pytest
from chaos_on_a_server import run_chaos, spec_of
from fake_studies import outcome_of, study

from finetune_alf.study.server import StudyServer
from postgres_server import PostgresServer

KILLS = {"n_workers": 1, "n_trials": 3, "n_restarts": 1, "max_kills": 1, "period_s": 0.1, "epoch_s": 0.3}
MANY_KILLS = {"n_workers": 8, "n_trials": 160, "n_restarts": 2, "max_kills": 10_000, "period_s": 1.0, "epoch_s": 0.5}


@pytest.mark.parametrize("settings", [KILLS, pytest.param(MANY_KILLS, marks=pytest.mark.long)])
def test_kills_and_restarts_of_the_server_lose_and_repeat_nothing(
    tmp_path: Path, postgres: PostgresServer, settings: dict[str, Any]
) -> None:
    n_trials = settings["n_trials"]
    seed = int(os.environ.get("KILL_SEED", random.SystemRandom().randrange(2**31)))
    server = StudyServer(postgres.url, f"chaos-{uuid.uuid4().hex[:8]}")
    counts = run_chaos(tmp_path / "killed", postgres, project=server.project, seed=seed, **settings)
    print(counts)
    assert (counts.n_trials, counts.lost, counts.twice) == (n_trials, [], [])
    assert counts.n_restarts == settings["n_restarts"]
    assert counts.n_coordinator_kills > 0
    states = (
        "SELECT state, count(*), max(number) FROM trials JOIN studies USING (study_id) "
        "WHERE starts_with(study_name, '{}') GROUP BY state"
    )
    assert postgres.sql(states.format(server.project)) == [f"COMPLETE|{n_trials}|{n_trials - 1}"]
    resumed = study(tmp_path / "resumed", spec_of(n_trials), server=server)
    assert outcome_of(resumed) == outcome_of(study(tmp_path / "uninterrupted", spec_of(n_trials)))
