"""The rates of a study's next trial: the enqueued ones first, then those that its sampler suggests."""

from collections.abc import Mapping, Sequence

from finetune_alf.rates import HEAD, DecayedRates, LayerRates
from finetune_alf.study.sampler import AnyObservation, StudySampler
from finetune_alf.study.spec import Enqueued, StudySpec, TpeSampler

LAYERWISE_DECAY = 0.95
"""Layer-wise decay of the enqueued `decayed` rates (Sun et al. 2019, section 5.3.3: the best of .85 to 1)."""


class Proposals:
    """What a study proposes for an encoder with `n_layers`: a pure function of a trial's number and what it sees."""

    def __init__(self, spec: StudySpec, n_layers: int) -> None:
        self._spec, self._n_layers = spec, n_layers
        self._baseline = spec.recipe.rates.at(n_layers)
        self._sampler = StudySampler(spec.sampler, spec.space, n_layers, spec.seed)

    def depend_on_results(self, number: int, n_seen: int) -> bool:
        """Return whether trial `number`, which can see `n_seen` others, is proposed from their results.

        TPE's first trials are random, until it sees `n_startup_trials`.
        """
        sampler = self._spec.sampler
        is_suggested = number >= len(self._spec.enqueue)
        return is_suggested and isinstance(sampler, TpeSampler) and n_seen >= sampler.n_startup_trials

    def propose(self, number: int, seen: Sequence[AnyObservation]) -> tuple[Mapping[str, float], LayerRates]:
        """Return params and rates of a trial; rates off the grid have no params, and are no observation.

        `seen` is what it sees of finished trials, in the order of their numbers.
        """
        space = self._spec.space
        if number < len(self._spec.enqueue):
            rates = self._enqueued(self._spec.enqueue[number])
            return space.params_of(rates) or {}, rates
        params = self._sampler.suggest(number, seen)
        return params, space.layer_rates(params, self._n_layers, self._baseline[HEAD])

    def _enqueued(self, name: Enqueued) -> LayerRates:
        if name == "baseline":
            return self._baseline
        highest = self._spec.recipe.rates.highest
        return DecayedRates(rate=highest, decay=LAYERWISE_DECAY, head=self._baseline[HEAD]).at(self._n_layers)
