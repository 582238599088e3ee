"""Per-layer learning rates: addresses, a rate at each of them, and policies that give rates at any depth.

Nothing here imports torch; `train/` builds the optimizer's parameter groups from the rates.
"""

from finetune_alf.rates.address import (
    EMBEDDINGS,
    HEAD,
    POOLER,
    Address,
    adapter,
    address_order,
    addresses,
    is_adapter,
    layer,
    rate_source,
    task_head,
)
from finetune_alf.rates.layer_rates import LayerRates, key_text, rate_text, repeated_in_keys, setting_text
from finetune_alf.rates.movement import BARELY, TYPICAL_SIZE, Movement, MovementWord, largest_movement, movement_word
from finetune_alf.rates.policies import (
    DecayedRates,
    FrozenBelow,
    ListedRates,
    RatesPolicy,
    SpreadRates,
    UniformRates,
)

__all__ = [
    "BARELY",
    "EMBEDDINGS",
    "HEAD",
    "POOLER",
    "TYPICAL_SIZE",
    "Address",
    "DecayedRates",
    "FrozenBelow",
    "LayerRates",
    "ListedRates",
    "Movement",
    "MovementWord",
    "RatesPolicy",
    "SpreadRates",
    "UniformRates",
    "adapter",
    "address_order",
    "addresses",
    "is_adapter",
    "key_text",
    "largest_movement",
    "layer",
    "movement_word",
    "rate_source",
    "rate_text",
    "repeated_in_keys",
    "setting_text",
    "task_head",
]
