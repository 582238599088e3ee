"""`python -m finetune_alf.cli`, where the command is not on the path."""

from finetune_alf.cli import main

main()
