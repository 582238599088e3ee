"""Search from Python, without the command line: draw the sample, then run the study of examples/tiny.yaml."""

import sys
from pathlib import Path

from finetune_alf import Paths, load_params
from finetune_alf.running.context import Context
from finetune_alf.running.prepare import prepare
from finetune_alf.running.study import study

params = load_params(Path(__file__).with_name("tiny.yaml"))
context = Context(params, Paths(Path(sys.argv[1])))
prepare(context, "films")
study(context, "tiny")
