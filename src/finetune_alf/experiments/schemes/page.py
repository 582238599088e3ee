"""Schemes side by side: loss, score, time and size of each combination, beside what was published."""

from collections.abc import Iterator
from typing import Any

from finetune_alf.experiments.schemes.document import CombinationResult, SampleTable, SchemesDocument
from finetune_alf.experiments.schemes.figure import schemes_plot
from finetune_alf.metrics import METRICS
from finetune_alf.paths import Paths
from finetune_alf.rates import HEAD
from finetune_alf.recipe import Adapter, Curve
from finetune_alf.report.numbers import NONE, counted, duration, estimate, p_value, rate, score, signed_estimate
from finetune_alf.report.part import Part, documents
from finetune_alf.report.search import words
from finetune_alf.report.section import Section, code
from finetune_alf.stats import NO_EVIDENCE


def schemes_part(paths: Paths) -> Part | None:
    """Return the testbeds that have run, one after another."""
    testbeds = tuple(documents(paths.experiment("schemes"), SchemesDocument))
    if not testbeds:
        return None
    section = Section()
    for testbed in testbeds:
        section.append(_testbed(testbed))
    return Part(tuple(line for testbed in testbeds for line in _in_short(testbed)), section)


def _testbed(testbed: SchemesDocument) -> Section:
    section = Section()
    section.text(f"## Schemes `{testbed.name}`")
    section.text(_grounds(testbed))
    section.table(("what", "value"), _what_was_run(testbed))
    section.figure(
        f"{testbed.name}-schemes.png",
        f"Validation {words(testbed.metric)} of each scheme of {testbed.name}, with 95 % intervals",
        schemes_plot({name: _points(one) for name, one in testbed.samples.items()}, testbed.metric),
    )
    for name, one in testbed.samples.items():
        section.text(
            f"**`{name}`**: {one.sample.n_train:,} training texts, {counted(one.sample.epochs, 'epoch')}, "
            f"{one.sample.n_validation:,} validation texts; naming {_one_answer(testbed)} every time scores "
            f"{score(one.sample.majority)}."
        )
        section.table(_header(testbed, one), [_row(testbed, one, row) for row in one.combinations])
    section.text(*_cautions(testbed))
    if testbed.left_out:
        reasons = "; ".join(f"{code(name)}: {reason}" for name, reason in testbed.left_out.items())
        section.text(f"Left out, as they make no sense: {reasons}.")
    return section


def _grounds(testbed: SchemesDocument) -> str:
    grounds = (
        "Each combination of scheme, adapter and curve is one recipe, fitted from the pre-trained weights "
        f"({counted(testbed.n_seeds, 'seed')} each, the same for all) and scored on the validation split, as in the "
        "survey of Lawless and Pachgade."
    )
    is_compared = any(row.difference for one in testbed.samples.values() for row in one.combinations)
    compared = " Differences are from `fixed` without an adapter, at a constant curve."
    return grounds + (compared if is_compared else "")


def _what_was_run(testbed: SchemesDocument) -> list[tuple[str, str]]:
    recipe, machine, encoder = testbed.recipe, testbed.machine, testbed.encoder
    rates = recipe.rates.at(encoder.n_layers)
    adapters = "" if testbed.adapter_rate is None else f", adapters {rate(testbed.adapter_rate)}"
    return [
        (
            "encoder",
            f"`{encoder.name}`: `{encoder.identity}`, {encoder.n_layers} layers, {encoder.n_parameters:,} weights",
        ),
        ("rate", f"{rate(recipe.rates.highest)}, head {rate(rates[HEAD])}{adapters}"),
        ("adapters", "; ".join(map(_settings, testbed.adapters)) or "none"),
        ("curves", "; ".join(map(_settings, testbed.curves))),
        ("optimizer", f"{recipe.optimizer.kind}, unless the scheme brings its own"),
        ("steps", f"batch {recipe.batch}, at most {recipe.max_tokens} tokens"),
        ("machine", f"{machine.device} in {machine.precision}, {counted(machine.n_threads, 'thread')}"),
    ]


def _settings(one: Adapter | Curve) -> str:
    """Write an adapter or a curve with its settings, as in `houlsby, width 64, activation gelu`."""
    settings = one.model_dump(exclude={"kind"}).items()
    return ", ".join([words(one.kind), *(f"{words(name)} {_setting(value)}" for name, value in settings)])


def _setting(value: float | str) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _one_answer(testbed: SchemesDocument) -> str:
    return "the commonest class" if METRICS[testbed.metric].of == "classes" else "the mean score"


def _header(testbed: SchemesDocument, one: SampleTable) -> tuple[str, ...]:
    published = ("published loss", "published accuracy") if _has_published(one) else ()
    return (
        *("scheme", "adapter", "curve", "validation loss", f"validation {words(testbed.metric)}"),
        *("difference", "p, corrected", "verdict", "time of a fit", "trained weights"),
        *published,
    )


def _row(testbed: SchemesDocument, one: SampleTable, row: CombinationResult) -> list[str]:
    gap, loss, published = row.difference, row.loss, row.published
    spread = "" if loss is None or loss.sd_seeds is None else f" (sd {loss.sd_seeds:.3f})"
    cells = [
        f"`{row.scheme}`",
        row.adapter,
        words(row.curve),
        NONE if loss is None else f"{loss.mean:.3f}{spread}",
        estimate(row.score) if row.score else "diverged",
        NONE if gap is None else signed_estimate(gap.mean, gap.low, gap.high),
        NONE if gap is None else p_value(gap.p_holm),
        NONE if gap is None else gap.verdict if gap.verdict == NO_EVIDENCE else f"**{gap.verdict}**",
        duration(row.seconds),
        f"{row.n_trainable_parameters:,} ({row.n_trainable_parameters / testbed.encoder.n_parameters:.1%})",
    ]
    if _has_published(one):
        cells += [f"{published.loss:.3f}", score(published.accuracy)] if published else [NONE, NONE]
    return cells


def _has_published(one: SampleTable) -> bool:
    return any(row.published for row in one.combinations)


def _points(one: SampleTable) -> list[dict[str, Any]]:
    wanted = {"scheme", "adapter", "curve", "score", "published"}
    return [row.model_dump(include=wanted) for row in one.combinations]


def _cautions(testbed: SchemesDocument) -> Iterator[str]:
    at_chance = list(filter(None, (_at_chance(name, one) for name, one in testbed.samples.items())))
    diverged = [
        f"{row.shown} on `{name}` {row.n_diverged} x"
        for name, one in testbed.samples.items()
        for row in one.combinations
        if row.n_diverged
    ]
    if at_chance:
        yield f"Not shown to beat naming {_one_answer(testbed)} every time: {'; '.join(at_chance)}."
    if diverged:
        yield f"Diverged: {'; '.join(diverged)}."
    if testbed.n_seeds == 1:
        yield "With one seed nothing is known of how seeds differ: the intervals are over texts alone."
    if testbed.n_at_once > 1:
        yield f"{testbed.n_at_once} fits ran at a time, which stretches their seconds."
    if testbed.recipe.keep == "best":
        yield "Each fit's best epoch was chosen by the split that scores it, which flatters all of them."
    yield (
        "p: paired over texts; corrected after Holm over the combinations of a sample. A scheme's rate is the one that "
        "was asked for, not the best one for it: at another rate the order may be another."
    )
    if any(map(_has_published, testbed.samples.values())):
        yield (
            "Published: the survey's tables 1 and 2, one run each on the whole sets at a rate of .01; neither the size "
            "of its BERT nor its optimizer is named. GLUE's validation splits leave its accuracies a standard error of "
            "about .010 on SST-2 and .012 on CoLA."
        )


def _at_chance(name: str, one: SampleTable) -> str | None:
    """Name the combinations of a sample that are not shown to beat one answer for all; None where all are."""
    scored = [(row.score, row.shown) for row in one.combinations if row.score]
    low = [shown for own, shown in scored if own.low <= one.sample.majority]
    if not low:
        return None
    return f"on `{name}` {'all of them' if len(low) == len(scored) else '; '.join(low)}"


def _in_short(testbed: SchemesDocument) -> Iterator[str]:
    for name, one in testbed.samples.items():
        scored = [(row.score, row) for row in one.combinations if row.score]
        if not scored:
            yield f"Schemes `{testbed.name}` on `{name}`: every fit diverged."
            continue
        highest, best = max(scored, key=lambda pair: pair[0].mean)
        told = [row.difference.verdict for row in one.combinations if row.difference]
        against = (
            f" Of {counted(len(told), 'combination')} against `fixed`, {told.count('better')} came out better and "
        )
        yield (
            f"Schemes `{testbed.name}` on `{name}`: highest validation {words(testbed.metric)} {estimate(highest)}, "
            f"{best.shown}." + (f"{against}{told.count('worse')} worse." if told else "")
        )
