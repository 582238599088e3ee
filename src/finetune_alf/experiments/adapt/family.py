"""The declared family of an adaptation."""

from finetune_alf.comparison import Family
from finetune_alf.experiments.adapt.document import Variant

PLAIN: Variant = "plain"
ADAPTED: Variant = "adapted"

FAMILY: Family[Variant] = Family("the adapted encoder against the plain one", {ADAPTED})
"""There is one comparison, so its p needs no correction."""
