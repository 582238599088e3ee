"""What further pre-training did to an encoder, and what fine-tuning gained by it, with and without side by side."""

from collections.abc import Iterator, Sequence

from finetune_alf.experiments.adapt.document import AdaptDocument
from finetune_alf.experiments.adapt.figure import adaptation_plot
from finetune_alf.experiments.adapt.record import AdaptRecord
from finetune_alf.paths import Paths
from finetune_alf.report.numbers import NONE, counted, duration, estimate, p_value, rate, signed_estimate
from finetune_alf.report.part import Part, documents
from finetune_alf.report.search import words
from finetune_alf.report.section import Section, plain
from finetune_alf.stats import NO_EVIDENCE


def adapt_part(paths: Paths) -> Part | None:
    """Return the adaptations that have run, one after another."""
    done = tuple(documents(paths.experiment("adapt"), AdaptDocument))
    if not done:
        return None
    section = Section()
    section.text("## Further pre-training")
    section.text(
        "Before it is fine-tuned, an encoder learns to fill masks in texts of the task, without their labels (Sun et "
        "al. 2019). No text is learned from that is scored on: where it is found, whole, in another split of the same "
        "sample, it is left out. Losses are in nats a hidden token, on texts that were not learned from, the same "
        "tokens hidden each time."
    )
    section.table(
        ("adaptation", "encoder", "texts", "steps", "time", "loss before", "loss after"), [_row(one) for one in done]
    )
    section.text(*_cautions(done))
    for one in done:
        section.append(_adaptation(one.record))
    if compared := list(_comparison_rows(done)):
        section.text("### Fine-tuned without and with")
        section.table(("adaptation", "metric", "test texts", "without", "with", "difference", "p", "verdict"), compared)
        section.text(_how_judged(done))
    return Part(tuple(_in_short(one) for one in done), section)


def _row(one: AdaptDocument) -> tuple[str, ...]:
    return (
        f"`{one.record.name}`",
        f"`{one.record.encoder['name']}`",
        f"{plain(one.record.texts.source)}: {one.record.texts.n_texts:,} texts, {one.record.texts.n_tokens:,} tokens",
        f"{one.record.n_steps:,}",
        duration(one.record.seconds),
        f"{one.record.losses.before:.3f}",
        f"{one.record.losses.after:.3f}",
    )


def _cautions(done: Sequence[AdaptDocument]) -> Iterator[str]:
    for one in done:
        name, texts, losses = one.record.name, one.record.texts, one.record.losses
        if texts.n_left_out:
            yield (
                f"`{name}`: left out as scored on in another split: {counted(texts.n_left_out, 'text')} of "
                f"{plain(texts.source)}."
            )
        if one.comparison and one.comparison.diverged:
            yield (
                f"`{name}`: diverged, so that its seed is left out on both sides: {', '.join(one.comparison.diverged)}."
            )
        if losses.after >= losses.before:
            yield f"`{name}`: the loss on held-out texts did not fall; fewer steps or a lower rate may do better."


def _adaptation(record: AdaptRecord) -> Section:
    section, settings = Section(), record.training
    section.text(f"### Adaptation `{record.name}`")
    by = "whole words" if settings["whole_words"] else "tokens"
    section.table(
        ("what", "value"),
        [
            ("encoder", f"`{record.encoder['name']}`: `{record.encoder['identity']}`"),
            ("hidden", f"{settings['mask_frac']:.0%} of the {by}"),
            (
                "steps",
                f"{record.n_steps:,} of {settings['batch']} pieces, at most {settings['max_tokens']} tokens each",
            ),
            ("epochs", f"{record.n_steps * settings['batch'] / record.texts.n_pieces:.2g}"),
            ("rate", f"{rate(settings['rate'])}, over {settings['warmup_frac']:.0%} of the steps up, then down to 0"),
            ("held out", f"{plain(record.texts.held_out_from)}: {counted(record.texts.n_held_out, 'text')}"),
            ("adapted weights", f"SHA-256 `{record.sha256}`"),
            ("machine", f"{record.device} in {record.precision}, {counted(record.n_threads, 'thread')}"),
        ],
    )
    if record.warm_up:
        losses = record.warm_up.losses
        section.text(
            f"**{plain(record.note)}**" if record.note else None,
            f"The head's {counted(record.warm_up.n_steps, 'step')} at {rate(record.warm_up.rate)} took the loss from "
            f"{losses.before:.3f} to {losses.after:.3f}, where the body began to learn.",
        )
    section.figure(
        f"{record.name}-adapt.png",
        f"Training loss of {record.name} over the steps, and the loss on held-out texts before and after",
        adaptation_plot([point.model_dump() for point in record.curve], record.losses.before, record.losses.after),
    )
    return section


def _comparison_rows(done: Sequence[AdaptDocument]) -> Iterator[tuple[str, ...]]:
    for one in done:
        compared = one.comparison
        if not compared:
            continue
        told = (f"`{one.record.name}`", words(compared.metric), f"{compared.n_test:,}")
        difference = compared.difference
        if difference is None:
            yield (*told, NONE, NONE, NONE, NONE, "diverged")
            continue
        verdict = difference.verdict
        yield (
            *told,
            *(estimate(compared.sides[side]) for side in ("without", "with")),
            signed_estimate(difference.mean, difference.low, difference.high),
            p_value(difference.p),
            verdict if verdict == NO_EVIDENCE else f"**{verdict}**",
        )


def _how_judged(done: Sequence[AdaptDocument]) -> str:
    seeds = sorted({one.comparison.n_seeds for one in done if one.comparison})
    return (
        f"The same recipe from both encoders, over the same {' or '.join(map(str, seeds))} seeds, on the same test "
        'texts. "Better" and "worse" need p of a paired test below .05 and an interval over seeds and texts that leaves'
        " 0 out."
    )


def _in_short(one: AdaptDocument) -> str:
    said = f"`{one.record.name}`, further pre-training of `{one.record.encoder['name']}`: loss on held-out texts "
    said += f"{one.record.losses.before:.3f}, then {one.record.losses.after:.3f}"
    if one.comparison and one.comparison.difference:
        said += f"; fine-tuned with it against without: {one.comparison.difference.verdict}"
    return f"{said}{'; its head was fresh, so that no gain was to be expected' if one.record.warm_up else ''}."
