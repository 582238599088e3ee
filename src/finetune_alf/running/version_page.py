"""What MLflow's page of a registered schedule shows: a description, and tags that a reader takes in at a glance."""

from collections.abc import Iterator

from finetune_alf.register.candidates import Candidate
from finetune_alf.report.numbers import estimate, signed_estimate
from finetune_alf.schedules.schedule import Schedule


def page_tags(schedule: Schedule, candidate: Candidate | None) -> dict[str, str]:
    """Return the tags for readers; those for programs are in `register/version_tags.py`."""
    return dict(_tags(schedule, candidate))


def _tags(schedule: Schedule, candidate: Candidate | None) -> Iterator[tuple[str, str]]:
    yield "encoder", f"{schedule.provenance.architecture}, {schedule.provenance.n_layers} layers"
    if candidate is None:
        return
    yield "confirmed", estimate(candidate)
    if found := candidate.from_baseline:
        yield "difference", signed_estimate(found.mean, found.low, found.high)
        yield "verdict", str(found.verdict)


def version_description(schedule: Schedule, ref: str, candidate: Candidate | None) -> str:
    """Return the description of a version, in Markdown: where it is from, what it scored, how it is used."""
    provenance, tags = schedule.provenance, page_tags(schedule, candidate)
    found = [f"* {name}: {tags[name]}" for name in ("confirmed", "difference", "verdict") if name in tags]
    return "\n".join(
        [
            f"Learning rates for each layer of an encoder ({tags['encoder']}), found by the study `{provenance.study}` "
            f"on `{provenance.sample_name}`. The difference is from plain fine-tuning, on texts that no trial saw.",
            *(["", *found] if found else []),
            "",
            f'`finetune_alf.pull("{ref}").apply(model)` sets them; `finetune-alf schedules card {ref}` says more.',
        ]
    )
