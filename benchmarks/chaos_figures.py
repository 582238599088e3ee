"""The figures: what measures each, what it counts, its goal."""

from chaos_contention import N_ROUNDS, one_study
from chaos_crash_points import named_places
from chaos_dvc import MAX_KILLS, killed_repro
from chaos_kills import one_process, pool_of_two
from chaos_long_study import first_new_trial
from chaos_mlflow import FAULTS, failing_server
from chaos_mlflow import GOAL as MLFLOW_GOAL
from chaos_poison import one_in_ten
from chaos_ray import GOAL as RAY_GOAL
from chaos_ray import lost_machines
from chaos_rows import Figure
from chaos_server import GOAL, on_a_server

FIGURES = {
    "F1": Figure(one_process, "trials and points lost, repeated, changed", "0", lambda kills: kills),
    "F2": Figure(pool_of_two, "trials lost, repeated, changed; workers left", "0", lambda kills: 3 * kills),
    "F3": Figure(named_places, "starts after an end at a named place that differ", "0", lambda kills: 1),
    "F4": Figure(one_study, "trials fitted twice; time until refused", "0; 2 s of CPU", lambda kills: N_ROUNDS + 1),
    "F5": Figure(on_a_server, "trials lost, repeated or missing on a server", GOAL, lambda kills: 1),
    "F6": Figure(failing_server, "points lost or doubled; time", MLFLOW_GOAL, lambda kills: len(FAULTS)),
    "F13": Figure(lost_machines, "trials lost, repeated or changed on Ray", RAY_GOAL, lambda kills: 2),
    "F16": Figure(one_in_ten, "other trials changed by poisoned ones", "0", lambda kills: 2),
    "F17": Figure(first_new_trial, "first new trial; memory", "3 s of CPU; 5 MiB per 1,000 trials", lambda kills: 2),
    "F20": Figure(killed_repro, "stages left, later failures, changes", "0", lambda kills: min(kills, MAX_KILLS) + 1),
}
