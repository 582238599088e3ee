"""How fast each part of an encoder may learn: addresses, a rate at each, and rules that give rates at any depth.

Pure: nothing here knows torch. Where the rates meet an optimizer is `train/lr.py`.
"""

from finetune_alf.rates.address import (
    EMBEDDINGS,
    HEAD,
    Address,
    adapter,
    addresses,
    is_adapter,
    layer,
    rate_source,
    task_head,
)
from finetune_alf.rates.layer_rates import LayerRates
from finetune_alf.rates.policies import (
    DecayedRates,
    FrozenBelow,
    ListedRates,
    RatesPolicy,
    SpreadRates,
    UniformRates,
)

__all__ = [
    "EMBEDDINGS",
    "HEAD",
    "Address",
    "DecayedRates",
    "FrozenBelow",
    "LayerRates",
    "ListedRates",
    "RatesPolicy",
    "SpreadRates",
    "UniformRates",
    "adapter",
    "addresses",
    "is_adapter",
    "layer",
    "rate_source",
    "task_head",
]
