"""The declared family of an adaptation."""

from finetune_alf.experiments.adapt.document import Variant
from finetune_alf.experiments.comparison import Family

PLAIN: Variant = "plain"
ADAPTED: Variant = "adapted"

FAMILY: Family[Variant] = Family("the adapted encoder against the plain one", {ADAPTED})
"""There is one comparison, so its p needs no correction."""
