"""The door to Ray, which launches workers on one or several machines. It keeps no study, and repeats nothing."""

from finetune_alf.execute.ray.cluster import RayCluster
from finetune_alf.execute.ray.executor import RayExecutor

__all__ = ["RayCluster", "RayExecutor"]
