"""Specs of schemes: the entries of a list such as `transfer.schemes`, each a name or a map with its settings.

A name stands for the map of that kind with its defaults; that of a schedule for `{kind: schedule, of: NAME}`.
`scheme_table.py` has the recipe of each kind.
"""

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter

from finetune_alf.nearest import did_you_mean
from finetune_alf.paths import Name
from finetune_alf.recipe import Contrastive, HoulsbyAdapter, LoraAdapter
from finetune_alf.recipe.linear import Folds
from finetune_alf.schedules.published import PUBLISHED_NAMES
from finetune_alf.schedules.reference import is_file, is_reference
from finetune_alf.spec import Count, PositiveRate, Spec


class SchemeSpec(Spec):
    """What every scheme has; `name` is what it is called in results, its kind unless it is given."""

    kind: str
    name: Name | None = None

    @property
    def label(self) -> str:
        """Its name in results."""
        return self.name or self.kind


class BaselineScheme(SchemeSpec):
    """Plain fine-tuning, by the recipe of the study."""

    kind: Literal["baseline"] = "baseline"


class FeatureExtractionScheme(SchemeSpec):
    """The head alone learns, at the baseline's rate for it, on features without dropout; all else is frozen."""

    kind: Literal["feature_extraction"] = "feature_extraction"


class RegisteredScheme(SchemeSpec):
    """A schedule that the study registered: the best confirmed one, or the best that differs clearly from it."""

    kind: Literal["alf-1", "alf-2"]


class DecayedScheme(SchemeSpec):
    """Layer-wise decay: `rate` for the top layer, the baseline's highest unless it is given, times `factor` a layer."""

    kind: Literal["decayed"] = "decayed"
    rate: PositiveRate | None = None
    factor: Annotated[float, Field(gt=0, le=1)] = 0.95


class UniformScheme(SchemeSpec):
    """One rate for embeddings and all layers: the best single rate that registration found, unless it is given."""

    kind: Literal["uniform"] = "uniform"
    rate: PositiveRate | None = None
    """The rate of embeddings and layers."""


class ProbeScheme(SchemeSpec):
    """A linear model on the frozen encoder's features; texts are as long as the baseline's."""

    kind: Literal["probe"] = "probe"
    pooling: Literal["mean", "first"] = "mean"
    """The features of a text: the mean over its tokens, or the first one."""
    n_folds: Folds = 5
    """The folds of the cross-validation that chooses the strength."""


class TfidfScheme(SchemeSpec):
    """A linear model on TF-IDF, without the encoder."""

    kind: Literal["tfidf"] = "tfidf"
    longest_ngram: Count = 1
    """The most words in a row that are one feature."""
    n_folds: Folds = 5
    """The folds of the cross-validation that chooses the strength."""


class LoraScheme(SchemeSpec, LoraAdapter):
    """LoRA in every layer of the frozen encoder, all at one rate: 4e-4 or 5e-4 in Hu et al. 2021, table 9."""

    kind: Literal["lora"] = "lora"
    rate: PositiveRate = 5e-4
    """The rate of the adapters."""


class HoulsbyScheme(SchemeSpec, HoulsbyAdapter):
    """Bottlenecks in every layer of the frozen encoder, all at one rate: 3e-4 is the middle of Houlsby et al. 2019."""

    kind: Literal["houlsby"] = "houlsby"
    rate: PositiveRate = 3e-4
    """The rate of the adapters."""


class ContrastiveScheme(SchemeSpec, Contrastive):
    """SetFit's way, with its authors' settings: pairs of texts at one rate, then logistic regression."""

    kind: Literal["contrastive"] = "contrastive"
    rate: PositiveRate = 2e-5
    """The rate of embeddings and layers."""
    batch: Count = 16
    """The pairs of a step."""
    epochs: Count = 1
    """How often the pairs are gone through."""


def _is_reference(of: str) -> str:
    if not is_reference(of):
        names = ", ".join(PUBLISHED_NAMES)
        near = did_you_mean(of, PUBLISHED_NAMES)
        raise ValueError(f"must be a schedule ({names}, FILE.json or model@alias), but got {of}{near}")
    return of


class ScheduleScheme(SchemeSpec):
    """A schedule: a published name, a file, or model@alias; for an encoder of another depth with `stretch: true`.

    It sets what it was searched or published with: rates, optimizer, curve, unfreezing and adapter. Epochs, batch and
    all else are the baseline's.
    """

    kind: Literal["schedule"] = "schedule"
    of: Annotated[str, AfterValidator(_is_reference)]
    """A published name, a file, or model@alias."""
    stretch: bool = False
    """Whether a schedule of another depth is stretched to that of the encoder."""

    @property
    def label(self) -> str:
        """Its own name, or that of the schedule: of a file without its ending, unless that is the name of a kind."""
        if self.name or not is_file(self.of):
            return self.name or self.of
        file = PurePosixPath(self.of)
        return file.name if file.stem in NAMES else file.stem


AnyScheme = (
    BaselineScheme
    | FeatureExtractionScheme
    | RegisteredScheme
    | DecayedScheme
    | UniformScheme
    | ProbeScheme
    | TfidfScheme
    | LoraScheme
    | HoulsbyScheme
    | ContrastiveScheme
    | ScheduleScheme
)

KINDS: tuple[str, ...] = tuple(
    kind for spec in get_args(AnyScheme) for kind in get_args(spec.model_fields["kind"].annotation)
)
"""The kinds of schemes. Each but `schedule` is also a name."""

NAMES = tuple(kind for kind in KINDS if kind != "schedule")


def is_from_lock(scheme: AnyScheme) -> bool:
    """Return whether a scheme is known by what a study registered alone: a schedule, or the best single rate."""
    return isinstance(scheme, RegisteredScheme) or (isinstance(scheme, UniformScheme) and scheme.rate is None)


LABEL_PATTERN = r"[A-Za-z0-9][\w.@-]{0,99}"
"""Names in results and keys of runs."""


def _as_map(given: Any) -> Any:
    """Return the map that a name stands for; raises ValueError for one that is unknown."""
    if isinstance(given, str):
        if given not in NAMES and not is_reference(given):
            near = did_you_mean(given, (*NAMES, *PUBLISHED_NAMES))
            raise ValueError(f"must be one of {', '.join(NAMES)}, or a schedule, but got {given}{near}")
        return {"kind": given} if given in NAMES else {"kind": "schedule", "of": given}
    if isinstance(given, dict) and "kind" not in given:
        raise ValueError(f"must name its kind, one of {', '.join(KINDS)}, but got {', '.join(map(str, given)) or '{}'}")
    return given


def _different_names(schemes: tuple[AnyScheme, ...]) -> tuple[AnyScheme, ...]:
    labels = [scheme.label for scheme in schemes]
    if repeated := [label for index, label in enumerate(labels) if label in labels[:index]]:
        raise ValueError(f"must have different names, but got {repeated[0]} again. Give one of them a name of its own")
    if odd := [label for label in labels if not re.fullmatch(LABEL_PATTERN, label)]:
        raise ValueError(f"must have names of letters, digits and .@_-, but got {odd[0]}. Give it a name of its own")
    if taken := [scheme for scheme in schemes if scheme.name in NAMES and scheme.name != scheme.kind]:
        raise ValueError(f"must not have the name of another kind, but got {taken[0].name} for {taken[0].kind}")
    return schemes


Scheme = Annotated[
    Annotated[AnyScheme, Field(discriminator="kind")],
    BeforeValidator(_as_map, json_schema_input_type=str | Annotated[AnyScheme, Field(discriminator="kind")]),
]
"""One scheme; a name alone stands for that kind with its defaults."""

Schemes = Annotated[tuple[Scheme, ...], Field(min_length=1), AfterValidator(_different_names)]
"""Schemes with different names, in the order of tables and figures."""


def encoder_rate(scheme: AnyScheme) -> float | None:
    """Return the highest rate that a scheme's settings give embeddings and layers; None where they give none."""
    return scheme.rate if isinstance(scheme, DecayedScheme | UniformScheme | ContrastiveScheme) else None


def schemes_named(*names: str) -> tuple[AnyScheme, ...]:
    """Return the schemes that these names stand for."""
    return _SCHEMES.validate_python(names)


_SCHEMES: TypeAdapter[tuple[AnyScheme, ...]] = TypeAdapter(Schemes)
