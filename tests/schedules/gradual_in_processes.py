"""Trains under Trainer with gradual unfreezing in as many processes as torchrun starts; prints what learned, and sums.

Run by test_trainer_in_processes.py.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from finetune_alf.rates import LayerRates
from finetune_alf.recipe import GradualUnfreezing
from schedules.test_trainer import train
from tiny import load_tiny, tiny_schedule

encoder = load_tiny()
schedule = tiny_schedule(LayerRates.of(1e-3, [1e-3] * 3, 1e-2), unfreezing=GradualUnfreezing(every_epochs=1), epochs=5)
watch, _ = train(encoder, schedule, sys.argv[1], gradient_checkpointing=sys.argv[2] == "checkpointing")
total = sum(parameter.detach().double().abs().sum() for parameter in encoder.model.parameters())
print(f"\nrank {os.environ['RANK']}: {len(set.union(*watch.trained))} addresses, {float(total)!r}", flush=True)
