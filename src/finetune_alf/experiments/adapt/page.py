"""The part of the report about further pre-training: the losses, and the comparison of fine-tuned scores."""

import math
from collections.abc import Iterator, Sequence

from finetune_alf.experiments.adapt.document import AdaptDocument, Comparison
from finetune_alf.experiments.adapt.family import FAMILY
from finetune_alf.experiments.adapt.figure import loss_plot
from finetune_alf.experiments.adapt.record import AdaptRecord
from finetune_alf.paths import Paths
from finetune_alf.report.environments import environment_line, machine, versions
from finetune_alf.report.evidence import few_seeds, how_judged, power_line, verdict_cell
from finetune_alf.report.numbers import NONE, counted, duration, estimate, p_value, percent, rate, signed_estimate
from finetune_alf.report.part import DocumentPart, Part, documents
from finetune_alf.report.search import words
from finetune_alf.report.section import Section, plain


def adapt_part(paths: Paths) -> Part | None:
    """Return the part of the report about all adaptations; None if none has run."""
    adaptations = tuple(documents(paths.experiment("adapt"), AdaptDocument))
    if not adaptations:
        return None
    section = Section()
    section.text(
        "Before fine-tuning, the encoder is trained further by masked language modelling (MLM), on unlabelled texts of "
        "the task (Sun et al. 2019). Texts that are also in the validation, confirmation or test split of the sample "
        "are excluded. Losses are MLM losses in nats a token, on held-out texts, with the same tokens masked each time."
    )
    section.table(
        ("adaptation", "encoder", "texts", "steps", "time", "loss before", "loss after"),
        [_row(document.record) for document in adaptations],
    )
    section.text(*_cautions(adaptations))
    for document in adaptations:
        section.append(_adaptation(document.record))
    compared = {document.record.name: document.comparison for document in adaptations if document.comparison}
    if compared:
        section.heading(3, "Fine-tuned scores")
        section.table(
            ("adaptation", "metric", "test texts", "plain encoder", "adapted encoder", "difference", "p", "verdict"),
            [_comparison_row(name, comparison) for name, comparison in compared.items()],
        )
        section.text(*_how_compared(list(compared.values())))
    runs = tuple(f"adapt/{document.record.name}" for document in adaptations)
    return Part((DocumentPart("Further pre-training", section, tuple(map(_in_short, adaptations)), runs),))


def _row(record: AdaptRecord) -> tuple[str, ...]:
    texts = record.texts
    return (
        f"`{record.name}`",
        f"`{record.encoder['name']}`",
        f"{plain(texts.source)}: {counted(texts.n_texts, 'text')}, {counted(texts.n_tokens, 'token')}",
        f"{record.n_steps:,}",
        duration(record.seconds),
        f"{record.losses.before:.3f}",
        f"{record.losses.after:.3f}",
    )


def _cautions(adaptations: Sequence[AdaptDocument]) -> Iterator[str]:
    for document in adaptations:
        name, texts, losses = document.record.name, document.record.texts, document.record.losses
        if texts.n_excluded:
            yield f"`{name}`: {counted(texts.n_excluded, 'text')} excluded ({plain(texts.source)})."
        if document.comparison and document.comparison.diverged:
            diverged = ", ".join(document.comparison.diverged)
            yield f"`{name}`: diverged, so the same seed is left out for the other encoder, too: {diverged}."
        if losses.after >= losses.before:
            yield f"`{name}`: the loss on held-out texts did not fall; fewer steps or a lower rate may help."


def _adaptation(record: AdaptRecord) -> Section:
    section, settings = Section(), record.training
    unit = "whole words" if settings["whole_words"] else "tokens"
    section.heading(3, f"Adaptation `{record.name}`")
    section.table(
        ("what", "value"),
        [
            ("encoder", f"`{record.encoder['name']}`: `{record.encoder['identity']}`"),
            ("masked", f"{percent(settings['mask_frac'])} of the {unit}"),
            ("steps", f"{record.n_steps:,} of {settings['batch']} pieces of up to {settings['max_tokens']} tokens"),
            ("epochs", _epochs(record)),
            (
                "rate",
                f"rises to {rate(settings['rate'])} over {percent(settings['warmup_frac'])} of the steps, falls to 0",
            ),
            ("held out", f"{plain(record.texts.held_out_from)}: {counted(record.texts.n_held_out, 'text')}"),
            ("adapted weights", f"SHA-256 `{record.sha256}`"),
            ("machine", machine(record.environment)),
            ("versions", versions(record.environment)),
        ],
        "**Settings**",
    )
    if record.warm_up:
        head = record.warm_up
        section.text(
            f"**{plain(record.note)}**" if record.note else None,
            f"{counted(head.n_steps, 'step')} of the head at {rate(head.rate)} changed the loss from "
            f"{head.losses.before:.3f} to {head.losses.after:.3f}, before the encoder was trained.",
        )
    section.figure(
        f"{record.name}-adapt.png",
        f"Training loss of {record.name} over the steps, and the loss on held-out texts before and after",
        loss_plot(record.loss_curve, record.losses, f"{record.name}-adapt"),
    )
    return section


def _epochs(record: AdaptRecord) -> str:
    """Write how often the pieces were gone through; the last batch of each time may be a smaller one."""
    n_epochs = record.n_steps / math.ceil(record.texts.n_pieces / record.training["batch"])
    return f"{n_epochs:.2g}" if n_epochs < 10 else f"{n_epochs:,.0f}"


def _comparison_row(name: str, comparison: Comparison) -> tuple[str, ...]:
    difference = comparison.difference
    row = (f"`{name}`", words(comparison.metric), f"{comparison.n_test:,}")
    if difference is None:
        return (*row, NONE, NONE, NONE, NONE, "diverged")
    return (
        *row,
        estimate(comparison.scores["plain"]),
        estimate(comparison.scores["adapted"]),
        signed_estimate(difference.mean, difference.low, difference.high),
        p_value(difference.p),
        verdict_cell(difference.verdict),
    )


def _how_compared(comparisons: Sequence[Comparison]) -> Iterator[str | None]:
    n_seeds = sorted({comparison.n_seeds for comparison in comparisons if comparison.n_seeds})
    numbers = " or ".join(map(str, n_seeds))
    seeds = "the same seed" if n_seeds == [1] else " ".join(filter(None, ("the same", numbers, "seeds")))
    yield f"Both encoders are fine-tuned by the same recipe with {seeds}, and scored on the same test texts."
    yield environment_line([share for comparison in comparisons for share in comparison.environments])
    differences = [comparison.difference for comparison in comparisons if comparison.difference]
    yield how_judged(FAMILY.described, [found.verdict for found in differences[:1]])  # one comparison an adaptation
    yield few_seeds(n_seeds[0]) if n_seeds else None
    yield power_line([found.variance.components for found in differences])


def _in_short(document: AdaptDocument) -> str:
    record, comparison = document.record, document.comparison
    text = f"`{record.name}`, further pre-training of `{record.encoder['name']}`: MLM loss on held-out texts "
    text += f"{record.losses.before:.3f} before, {record.losses.after:.3f} after"
    if comparison and comparison.difference:
        verdict = comparison.difference.verdict
        text += f"; {words(comparison.metric)} after fine-tuning, against the plain encoder: {verdict}"
    return f"{text}{'; the head was new, so no gain was to be expected' if record.warm_up else ''}."
