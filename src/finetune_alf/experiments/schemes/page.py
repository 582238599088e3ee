"""Testbeds on the page: loss, score, time and size of each combination, with the published numbers."""

from collections.abc import Iterator

from finetune_alf.experiments.schemes.document import CombinationResult, SampleTable, SchemesDocument
from finetune_alf.experiments.schemes.family import DESCRIBED
from finetune_alf.experiments.schemes.figure import schemes_plot
from finetune_alf.experiments.schemes.page_thesis import thesis_section
from finetune_alf.experiments.schemes.rules import parts_of
from finetune_alf.paths import Paths
from finetune_alf.rates import HEAD, setting_text
from finetune_alf.recipe import Adapter, Curve
from finetune_alf.report.environments import environment_rows
from finetune_alf.report.evidence import constant_baseline, few_seeds, how_to_read, p_cell, verdict_cell
from finetune_alf.report.numbers import NONE, counted, duration, estimate, rate, score, signed_estimate
from finetune_alf.report.part import DocumentPart, Part, part_of_each
from finetune_alf.report.search import words
from finetune_alf.report.section import Section, code
from finetune_alf.schedules.reference import is_reference


def schemes_part(paths: Paths) -> Part | None:
    """Return the testbeds that have run, one after another."""
    return part_of_each(paths.experiment("schemes"), SchemesDocument, _document_part)


def _document_part(testbed: SchemesDocument) -> DocumentPart:
    return DocumentPart(f"Schemes `{testbed.name}`", _testbed_section(testbed), tuple(_summary(testbed)))


def _testbed_section(testbed: SchemesDocument) -> Section:
    section = Section()
    section.text(_method(testbed))
    section.table(("what", "value"), _settings_rows(testbed), "**Settings**")
    section.figure(
        f"{testbed.name}-schemes.png",
        f"{_measure(testbed).capitalize()} of each scheme of {testbed.name}, with 95 % intervals",
        schemes_plot(testbed),
    )
    for name, table in testbed.samples.items():
        title = (
            f"**`{name}`**: {table.sample.n_train:,} training texts, {counted(table.sample.epochs, 'epoch')}, "
            f"{table.sample.n_texts:,} {testbed.score_on} texts; {constant_baseline(testbed.metric)} scores "
            f"{score(table.sample.majority_baseline)}."
        )
        section.table(_header(testbed, table), [_row(testbed, table, row) for row in table.combinations], title)
    section.text(*_notes(testbed))
    section.append(thesis_section(testbed))
    if testbed.left_out:
        section.text(f"Combinations left out: {'; '.join(_left_out(testbed))}.")
    return section


def _left_out(testbed: SchemesDocument) -> Iterator[str]:
    """Yield each reason once, after the combinations that have it."""
    for reason in dict.fromkeys(testbed.left_out.values()):
        names = (code(name) for name, own in testbed.left_out.items() if own == reason)
        yield f"{', '.join(names)}: {reason}"


def _method(testbed: SchemesDocument) -> str:
    method = (
        "Each combination of scheme, adapter and curve is one recipe, fitted from the pre-trained weights "
        f"({counted(testbed.n_seeds, 'seed')} each, the same for all) and scored on the {testbed.score_on} split"
        f"{', as in the survey of Lawless and Pachgade' if testbed.score_on == 'validation' else ''}."
    )
    has_differences = any(row.difference for row in _rows(testbed))
    differences = " Differences are from `fixed` without an adapter, with a constant curve."
    return method + (differences if has_differences else "")


def _measure(testbed: SchemesDocument) -> str:
    return f"{testbed.score_on} {words(testbed.metric)}"


def _settings_rows(testbed: SchemesDocument) -> list[tuple[str, str]]:
    recipe, encoder = testbed.recipe, testbed.encoder
    head = recipe.rates.at(encoder.n_layers)[HEAD]
    adapters = "" if testbed.adapter_rate is None else f", adapters {rate(testbed.adapter_rate)}"
    return [
        (
            "encoder",
            f"`{encoder.name}`: `{encoder.identity}`, {encoder.n_layers} layers, {encoder.n_parameters:,} parameters",
        ),
        ("rate", f"{rate(recipe.rates.highest)}, head {rate(head)}{adapters}"),
        ("adapters", "; ".join(map(_settings, testbed.adapters)) or "none"),
        ("curves", "; ".join(map(_settings, testbed.curves))),
        ("optimizer", f"{recipe.optimizer.kind}, unless the scheme sets another"),
        ("steps", f"batch {recipe.batch}, at most {recipe.max_tokens} tokens"),
        *environment_rows(testbed.environments),
    ]


def _settings(spec: Adapter | Curve) -> str:
    """Write an adapter or a curve with its settings, as in `houlsby, width 64, activation gelu`."""
    settings = spec.model_dump(exclude={"kind"}).items()
    return ", ".join([words(spec.kind), *(f"{words(name)} {_setting(value)}" for name, value in settings)])


def _setting(value: float | str) -> str:
    return setting_text(value) if isinstance(value, float) else str(value)


def _header(testbed: SchemesDocument, table: SampleTable) -> tuple[str, ...]:
    published = ("published loss", "published accuracy") if _has_published(table) else ()
    return (
        *("scheme", "adapter", "curve", f"{testbed.score_on} loss", _measure(testbed)),
        *("difference", "p, corrected", "verdict", "time of a fit", "trainable parameters"),
        *published,
    )


def _row(testbed: SchemesDocument, table: SampleTable, row: CombinationResult) -> list[str]:
    difference, loss, published = row.difference, row.loss, row.published
    spread = "" if loss is None or loss.sd_seeds is None else f" (sd {loss.sd_seeds:.3f})"
    cells = [
        f"`{row.scheme}`",
        row.adapter,
        words(row.curve),
        NONE if loss is None else f"{loss.mean:.3f}{spread}",
        estimate(row.score) if row.score else "diverged",
        NONE if difference is None else signed_estimate(difference.mean, difference.low, difference.high),
        NONE if difference is None else p_cell(difference.p_holm),
        NONE if difference is None else verdict_cell(difference.verdict),
        duration(row.seconds),
        f"{row.n_trainable_parameters:,} ({row.n_trainable_parameters / testbed.encoder.n_parameters:.1%})",
    ]
    if _has_published(table):
        cells += [f"{published.loss:.3f}", score(published.accuracy)] if published else [NONE, NONE]
    return cells


def _rows(testbed: SchemesDocument) -> Iterator[CombinationResult]:
    for table in testbed.samples.values():
        yield from table.combinations


def _has_published(table: SampleTable) -> bool:
    return any(row.published for row in table.combinations)


def _notes(testbed: SchemesDocument) -> Iterator[str | None]:
    low = list(filter(None, (_not_above_baseline(name, table) for name, table in testbed.samples.items())))
    diverged = [
        f"{_named(row)} on `{name}` {row.n_diverged} x"
        for name, table in testbed.samples.items()
        for row in table.combinations
        if row.n_diverged
    ]
    if low:
        yield f"The interval does not lie above {constant_baseline(testbed.metric)}: {'; '.join(low)}."
    if diverged:
        yield f"Diverged: {'; '.join(diverged)}."
    if testbed.n_at_once > 1:
        yield f"{testbed.n_at_once} fits ran at a time, so each took longer than it would alone."
    if testbed.recipe.keep == "best" and testbed.score_on == "validation":
        yield "The best epoch of each fit was chosen on the split that scores it, so all scores are optimistic."
    differences = [row.difference for row in _rows(testbed) if row.difference]
    yield how_to_read(DESCRIBED, differences, testbed.n_seeds) if differences else few_seeds(testbed.n_seeds)
    own = " but schedules" if _has_schedule(testbed) and not testbed.rescale else ""
    yield (
        f"All schemes{own} have the rate of the testbed, which need not be the best rate of each: their order may be "
        "different at another rate."
    )
    if any(map(_has_published, testbed.samples.values())):
        yield (
            "Published: the survey's tables 1 and 2, one run each on the whole sets at a rate of .01. It names neither "
            "the size of its BERT nor its optimizer. On GLUE's validation splits its accuracies have a standard error "
            "of about .010 on SST-2 and .012 on CoLA."
        )


def _has_schedule(testbed: SchemesDocument) -> bool:
    return any(is_reference(part) for row in _rows(testbed) for part in parts_of(row.scheme))


def _not_above_baseline(name: str, table: SampleTable) -> str | None:
    """Name the combinations whose interval does not lie above the majority baseline of a sample; None without any."""
    scored = [(row.score, row) for row in table.combinations if row.score]
    low = [_named(row) for score, row in scored if score.low <= table.sample.majority_baseline]
    if not low:
        return None
    return f"{'all' if len(low) == len(scored) else '; '.join(low)} on `{name}`"


def _named(row: CombinationResult) -> str:
    """Name a combination, as in `fixed` (houlsby, slanted triangular)."""
    return f"{code(row.scheme)} ({row.adapter}, {words(row.curve)})"


def _summary(testbed: SchemesDocument) -> Iterator[str]:
    for name, table in testbed.samples.items():
        scored = [(row.score, row) for row in table.combinations if row.score]
        if not scored:
            yield f"Schemes `{testbed.name}` on `{name}`: every fit diverged."
            continue
        highest, best = max(scored, key=lambda pair: pair[0].mean)
        differences = [row.difference for row in table.combinations if row.difference]
        verdicts = [found.verdict for found in differences if found.p_holm is not None]
        against_fixed = (
            f" Of {counted(len(verdicts), 'combination')} tested against `fixed`, {verdicts.count('better')} better "
            f"and {verdicts.count('worse')} worse."
        )
        yield (
            f"Schemes `{testbed.name}` on `{name}`: highest {_measure(testbed)} {estimate(highest)}, "
            f"{_named(best)}.{against_fixed if verdicts else ''}"
        )
