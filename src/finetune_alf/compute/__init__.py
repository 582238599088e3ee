"""How fits are run: the section `compute` of params.yaml, and the device and precision that it stands for here.

Nothing here changes what is trained, except for `precision`, which is therefore part of every identity. torch is
imported by the functions that need it.
"""

from finetune_alf.compute.environment import Environment, EnvironmentShare
from finetune_alf.compute.resolved import Compute, resolve
from finetune_alf.compute.spec import ComputeSpec, Precision

__all__ = ["Compute", "ComputeSpec", "Environment", "EnvironmentShare", "Precision", "resolve"]
