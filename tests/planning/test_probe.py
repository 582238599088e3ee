"""The probe of `plan`: few steps, no more texts than time allows, and how busy the machine was."""

import math
import time

import pytest

from finetune_alf.cost.speed import TimedWork
from finetune_alf.cost.work import Work
from finetune_alf.encoder.initial_weights import InitialWeights
from finetune_alf.errors import EncoderError
from finetune_alf.planning.plan import Predictors
from finetune_alf.planning.probe import LEAST, N_KINDS, STEP_S, Probe, fit, n_texts
from finetune_alf.planning.study import StudyPlan
from finetune_alf.running.prepare import prepare
from small_project import small_context

pytestmark = pytest.mark.usefixtures("quick_probes")


class Bar:
    """Counts its steps."""

    n = 0

    def advance(self, note="", *, step="", is_new=True):
        self.n += 1


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    ctx = small_context(tmp_path_factory.mktemp("probe") / "project")
    prepare(ctx, "films")
    return ctx


@pytest.fixture
def probe(ready):
    return Predictors(ready).of(StudyPlan().planned(ready, "tiny")).probe


def parts_of(probe, monkeypatch, seconds):
    """Return the part of a batch that each fit of a probe has, where each epoch takes so long."""
    parts, timed = [], TimedWork(Work(train_flops=1e9), seconds)
    monkeypatch.setattr(Probe, "_time", lambda self, kind, sample, part: parts.append(part) or timed)
    probe.fits_s.append(0.0)
    probe.speed(Bar())
    return parts


def test_a_probe_times_each_kind_of_step_once_and_its_bar_ends_full(probe, monkeypatch):
    n_fits, whole = [], Probe._time
    monkeypatch.setattr(Probe, "_time", lambda *given: n_fits.append(1) or whole(*given))
    bar = Bar()
    probe.speed(bar)
    assert (len(n_fits), bar.n) == (1 + N_KINDS, N_KINDS)


@pytest.mark.parametrize(
    ("seconds", "part"),
    [(LEAST * STEP_S / 100, 1), (LEAST * STEP_S, 1), (LEAST * STEP_S * 2, 0.5), (100 * STEP_S, LEAST)],
)
def test_on_a_slow_processor_all_kinds_have_equally_fewer_texts(probe, monkeypatch, seconds, part):
    assert parts_of(probe, monkeypatch, seconds) == [LEAST, *[part] * N_KINDS]


def test_a_part_of_a_batch_has_at_least_a_text():
    assert [n_texts(8, part) for part in (1, 0.5, LEAST)] == [8, 4, 2]
    assert n_texts(1, LEAST) == 1


def test_an_encoder_whose_fits_diverge_at_once_is_an_error_in_a_sentence(probe, monkeypatch):
    restore = InitialWeights.restore

    def damaged(weights, model, seed):
        restore(weights, model, seed)
        model.get_input_embeddings().weight.data.fill_(math.nan)

    monkeypatch.setattr(InitialWeights, "restore", damaged)
    with pytest.raises(EncoderError, match=r": must have a finite loss on texts of films to be timed, but got NaN"):
        probe.speed(Bar())


def test_the_processor_time_of_a_probe_is_kept(probe):
    assert probe.cpu_share is None
    probe.speed(Bar())
    assert probe.cpu_share > 0


def test_waits_for_a_core_are_no_part_of_the_speed(probe, monkeypatch):
    wait_s = 0.1

    def waiting(*given, report, **options):
        return fit(*given, report=lambda metrics: (time.sleep(wait_s), report(metrics))[1], **options)

    monkeypatch.setattr("finetune_alf.planning.probe.fit", waiting)
    timed, real = [], Probe._time
    monkeypatch.setattr(Probe, "_time", lambda *given: timed.append(real(*given)) or timed[-1])
    probe.speed(Bar())
    assert max(one.seconds for one in timed) < wait_s
