"""The state of each study: its trials, and whether its results are those of the present settings."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from finetune_alf.checksums import digest
from finetune_alf.compute import Precision
from finetune_alf.data.sample import load_card
from finetune_alf.doctor.finding import Finding
from finetune_alf.errors import AlfError, InputError
from finetune_alf.files import read_bytes
from finetune_alf.locks import lock_holder
from finetune_alf.paths import way_out_of
from finetune_alf.running.context import Context
from finetune_alf.study.databases import known_studies, study_database
from finetune_alf.study.identity import changed_fields, study_identity
from finetune_alf.study.records import read_study, stale_note
from finetune_alf.study.store import closing_store

_CARD = TypeAdapter(dict[str, str])
"""What the stage `encoder` writes: name, kind and identity."""


def studies(ctx: Context) -> Iterator[Finding]:
    """Yield the findings of each study in params.yaml; none without the device, which `devices` says."""
    try:
        precision = ctx.compute.precision
    except AlfError:
        return
    for name in ctx.params.studies:
        yield from _study(ctx, name, precision)


def _study(ctx: Context, name: str, precision: Precision) -> Iterator[Finding]:
    topic, label = "studies", f"studies.{name}"
    runs = _running(ctx, name)
    command = "" if runs else f"Run `{ctx.paths.command('study', name)}`."
    spec, sample = ctx.study(name), ctx.study(name).sample
    try:
        sample_digest = load_card(ctx.paths.sample(sample)).digest
    except AlfError:
        step = f"Run `{ctx.paths.command('prepare', sample)}`."
        yield Finding(topic, label, f"sample {sample} is not prepared", next_step=step)
        return
    card = ctx.paths.encoder_card(spec.encoder)
    try:
        encoder = _identity_of(card) if card.exists() else None
    except AlfError as error:
        yield Finding(topic, str(card), "damaged", str(error))
        return
    current, wanted = None, None
    if encoder is not None:
        wanted = study_identity(spec, sample_digest, encoder, precision)
    for known in known_studies(ctx.paths, name, ctx.study_server):
        stored = known.identity
        if isinstance(stored, AlfError):
            yield Finding(topic, known.place, "damaged", str(stored))
            continue
        wanted = study_identity(spec, sample_digest, encoder or stored["encoder"], precision)
        changes = changed_fields(stored, wanted)
        if changes:
            yield Finding(topic, known.place, f"a study of other settings: {'; '.join(changes)}"[:200])
        else:
            current = current or wanted
    if current is None:
        yield Finding(topic, label, f"no trial yet under the present settings{runs}", next_step=command)
        if wanted is not None:
            yield from _results(ctx, name, digest(wanted), command)
        return
    yield from _trials(ctx, name, current, command, runs)
    yield from _results(ctx, name, digest(current), command)


def _running(ctx: Context, name: str) -> str:
    """Return which process runs a study now, as the end of a state; empty where none does."""
    holder = lock_holder(ctx.paths.studies / f"study-{name}.lock")
    return f", running: {holder}" if holder else ""


def _identity_of(card: Path) -> str:
    """Return the identity on an encoder's card; InputError, with the command that writes it, where it is damaged."""
    try:
        return _CARD.validate_json(read_bytes(card))["identity"]
    except (ValueError, KeyError):
        raise InputError(f"{card}: must be JSON with the encoder's identity. {way_out_of(card)}") from None


def _trials(ctx: Context, name: str, identity: Mapping[str, Any], command: str, runs: str) -> Iterator[Finding]:
    n_wanted = ctx.study(name).n_trials
    with closing_store(study_database(ctx.paths, name, identity, ctx.study_server)) as store:
        states = Counter(record.state for record in store.finished_trials())
        n_pending = len(store.pending_trials())
    counts = ", ".join(f"{n} {state}" for state, n in sorted(states.items()))
    pending = f", {n_pending} begun{'' if runs else ' and not finished'}" if n_pending else ""
    state = f"{sum(states.values())} of {n_wanted} trials ({counts or 'none'}{pending}){runs}"
    yield Finding("studies", store.place, state, next_step=command if sum(states.values()) < n_wanted else "")


def _results(ctx: Context, name: str, wanted: str, command: str) -> Iterator[Finding]:
    folder = ctx.paths.study_results(name)
    if not folder.is_dir():
        return
    try:
        note = stale_note(read_study(folder), wanted)
    except AlfError as error:
        yield Finding("studies", str(folder), "no results that can be read", str(error))
        return
    yield Finding("studies", str(folder), note or "up to date", next_step=command if note else "")
