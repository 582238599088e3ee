"""What further pre-training did to an encoder, and what fine-tuning gained by it, with and without side by side."""

from collections.abc import Iterator, Sequence

from finetune_alf.experiments.adapt.document import AdaptDocument
from finetune_alf.experiments.adapt.figure import adaptation_plot
from finetune_alf.paths import Paths
from finetune_alf.report.numbers import NONE, chance, counted, duration, estimate, rate, signed_estimate
from finetune_alf.report.part import Part, documents
from finetune_alf.report.search import words
from finetune_alf.report.section import Section, plain
from finetune_alf.stats import NO_EVIDENCE


def adapt_part(paths: Paths) -> Part | None:
    """Return the adaptations that have run, one after another."""
    done = tuple(documents(paths.adapt("x").parent, AdaptDocument))
    if not done:
        return None
    section = Section()
    section.say("## Further pre-training")
    section.say(
        "Before it is fine-tuned, an encoder learns to fill masks in texts of the task, without their labels (Sun et "
        "al. 2019). No text is learned from that is scored on: where it is found, whole, in another split of the same "
        "sample, it is left out. Losses are in nats a hidden token, on texts that were not learned from, the same "
        "tokens hidden each time."
    )
    section.tabulate(
        ("adaptation", "encoder", "texts", "steps", "time", "loss before", "loss after"), [_row(one) for one in done]
    )
    section.say(*_cautions(done))
    for one in done:
        section.take(_adaptation(one))
    if compared := list(_comparison_rows(done)):
        section.say("### Fine-tuned without and with")
        section.tabulate(
            ("adaptation", "metric", "test texts", "without", "with", "difference", "p", "verdict"), compared
        )
        section.say(_how_judged(done))
    return Part(tuple(_in_short(one) for one in done), section)


def _row(one: AdaptDocument) -> tuple[str, ...]:
    return (
        f"`{one.name}`",
        f"`{one.encoder.name}`",
        f"{plain(one.texts.source)}: {one.texts.n_texts:,} texts, {one.texts.n_tokens:,} tokens",
        f"{one.n_steps:,}",
        duration(one.seconds),
        f"{one.losses.before:.3f}",
        f"{one.losses.after:.3f}",
    )


def _cautions(done: Sequence[AdaptDocument]) -> Iterator[str]:
    for one in done:
        if one.texts.n_left_out:
            yield (
                f"`{one.name}`: left out as scored on in another split: {counted(one.texts.n_left_out, 'text')} of "
                f"{plain(one.texts.source)}."
            )
        if one.comparison and one.comparison.diverged:
            yield (
                f"`{one.name}`: diverged, so that its seed is left out on both sides: "
                f"{', '.join(one.comparison.diverged)}."
            )
        if one.losses.after >= one.losses.before:
            yield f"`{one.name}`: the loss on held-out texts did not fall; fewer steps or a lower rate may do better."


def _adaptation(one: AdaptDocument) -> Section:
    section, asked = Section(), one.training
    section.say(f"### Adaptation `{one.name}`")
    by = "whole words" if asked.whole_words else "tokens"
    section.tabulate(
        ("what", "value"),
        [
            ("encoder", f"`{one.encoder.name}`: `{one.encoder.identity}`"),
            ("hidden", f"{asked.mask_frac:.0%} of the {by}"),
            ("steps", f"{one.n_steps:,} of {asked.batch} pieces, at most {asked.max_tokens} tokens each"),
            ("epochs", f"{one.n_steps * asked.batch / one.texts.n_pieces:.2g}"),
            ("rate", f"{rate(asked.rate)}, over {asked.warmup_frac:.0%} of the steps up, then down to 0"),
            ("held out", f"{plain(one.texts.held_out_from)}: {counted(one.texts.n_held_out, 'text')}"),
            ("adapted weights", f"SHA-256 `{one.sha256}`"),
            ("machine", f"{one.device} in {one.precision}, {counted(one.n_threads, 'thread')}"),
        ],
    )
    if one.warm_up:
        losses = one.warm_up.losses
        section.say(
            f"**{plain(one.note)}**" if one.note else None,
            f"The head's {counted(one.warm_up.n_steps, 'step')} at {rate(one.warm_up.rate)} took the loss from "
            f"{losses.before:.3f} to {losses.after:.3f}, where the body began to learn.",
        )
    section.show(
        f"{one.name}-adapt.png",
        f"Training loss of {one.name} over the steps, and the loss on held-out texts before and after",
        adaptation_plot([point.model_dump() for point in one.curve], one.losses.before, one.losses.after),
    )
    return section


def _comparison_rows(done: Sequence[AdaptDocument]) -> Iterator[tuple[str, ...]]:
    for one in done:
        compared = one.comparison
        if not compared:
            continue
        told = (f"`{one.name}`", words(compared.metric), f"{compared.n_test:,}")
        difference = compared.difference
        if difference is None:
            yield (*told, NONE, NONE, NONE, NONE, "diverged")
            continue
        verdict = difference.verdict
        yield (
            *told,
            *(estimate(compared.sides[side]) for side in ("without", "with")),
            signed_estimate(difference.mean, difference.low, difference.high),
            chance(difference.p),
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
    said = f"`{one.name}`, further pre-training of `{one.encoder.name}`: loss on held-out texts "
    said += f"{one.losses.before:.3f}, then {one.losses.after:.3f}"
    if one.comparison and one.comparison.difference:
        said += f"; fine-tuned with it against without: {one.comparison.difference.verdict}"
    return f"{said}{'; its head was fresh, so that no gain was to be expected' if one.warm_up else ''}."
