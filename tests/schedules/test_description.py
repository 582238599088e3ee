"""A schedule as text: over which steps its movements are meant."""

from finetune_alf.schedules.description import describe
from finetune_alf.schedules.published import published
from finetune_alf.schedules.schedule import ConfirmedScore

SCHEDULE = published("distilbert-alf-1")


def with_trial(**fields):
    return SCHEDULE.model_copy(update={"provenance": SCHEDULE.provenance.model_copy(update=fields)})


def test_movements_are_over_the_steps_of_its_own_trial_unless_others_are_given():
    measured = dict.fromkeys(SCHEDULE.rates, 0.01)
    own = list(describe(with_trial(n_steps=32, movement=measured)))
    assert any("relative to their size in the trial that found the schedule, over 32 steps;" in line for line in own)
    assert "at most" not in "".join(own)
    others = "".join(describe(with_trial(n_steps=32, movement=measured), 64))
    assert "at most, over 64 steps" in others
    assert "measured" not in others
    assert any("at most, over 32 steps" in line for line in describe(with_trial(n_steps=32)))
    assert any("at most, over 64 steps" in line for line in describe(with_trial(n_steps=32), 64))
    assert any("at most, over 1,000 steps" in line for line in describe(with_trial(n_steps=None)))
    assert not any("in the trial" in line for line in describe(SCHEDULE))


def test_one_seed_is_singular():
    kept = ConfirmedScore(metric="accuracy", mean=0.8, low=0.7, high=0.9, n_seeds=1, n_texts=200)
    lines = list(describe(SCHEDULE.model_copy(update={"confirmed": kept})))
    assert "confirmed accuracy .800 [.700, .900] over 1 seed and 200 texts" in lines


def test_the_number_of_steps_is_a_note_that_changes_no_digest():
    assert with_trial(n_steps=7).digest == SCHEDULE.digest
