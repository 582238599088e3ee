"""The text of a new project's dvc.yaml and .gitignore: one stage a command, for those who keep versions with DVC."""

from finetune_alf.starting.params_text import Start

GITIGNORE = ("/data/samples/", "/models/", "/results/", "/studies/", "/mlruns/")
"""What commands write, and can write again."""

_DVC = """\
# The stages of `finetune-alf run`, and `fit`, for `dvc repro`; before the first, `dvc init`, or `dvc init --no-scm`
# without git.
# DVC runs a stage again when what it depends on has changed; finished fits are not repeated. A section that you add to
# params.yaml goes under `params` of the stages that read it.
stages:
  prepare:
    desc: Draw the sample out of its table
    cmd: exec finetune-alf prepare {sample}
    deps:
      - {table}
    params:
      - samples.{sample}
    outs:
      - data/samples/{sample}

  study:
    desc: Search for the rates that score best on the validation split
    cmd: exec finetune-alf study {study}
    deps:
      - data/samples/{sample}
    params:
      - project
      - encoders
      - studies.{study}
    outs:
      - results/study/{study}/trials.jsonl
      - results/study/{study}/study.json
    metrics:
      - results/study/{study}/best.json

  importance:
    desc: How much each address's rate matters
    cmd: exec finetune-alf importance {study}
    deps:
      - results/study/{study}
    outs:
      - results/importance/{study}.json
    plots:
      - results/importance/{study}.png

  register:
    desc: Confirm the best trials on texts that none of them saw, and register two
    cmd: exec finetune-alf register {study}
    deps:
      - results/study/{study}
      - data/samples/{sample}
    params:
      - project
      - register
    outs:
      - results/schedules/{study}.json

  transfer:
    desc: Try the registered schedules on the test texts
    cmd: exec finetune-alf transfer {study} {sample}
    deps:
      - results/schedules/{study}.json
      - data/samples/{sample}
    params:
      - project
      - transfer
    outs:
      - results/transfer/{study}/{sample}.jsonl
      - results/transfer/{study}/{sample}.predictions.json
    metrics:
      - results/transfer/{study}/{sample}.json

{fit}  report:
    desc: Tables and figures of all that was run
    cmd: exec finetune-alf report
    deps:
      - results/study
      - results/importance
      - results/schedules
      - results/transfer
{fit_results}    outs:
      - results/report
"""

_FIT = """\
  fit:
    desc: Fit a classifier for use by the scheme that is recommended, save and register it
    cmd: exec finetune-alf fit --study {study}
    deps:
      - results/schedules/{study}.json
      - results/transfer/{study}/{sample}.json
      - data/samples/{sample}
    params:
      - project
      - studies.{study}
      - transfer.schemes
    outs:
      - models/{study}:
          persist: true
      - results/fit/{study}.jsonl
    metrics:
      - results/fit/{study}.json

"""


def dvc_text(start: Start) -> str:
    """Return dvc.yaml as text; a classifier is fitted where labels are classes."""
    table, has_classes = start.table.replace("'", "''"), start.task.value != "regression"
    names = {"sample": start.sample, "study": start.encoder_name}
    fit, results = (_FIT.format(**names), "      - results/fit\n") if has_classes else ("", "")
    return _DVC.format(**names, table=f"'{table}'", fit=fit, fit_results=results)


def gitignore_text(before: str) -> str:
    """Return .gitignore with the lines that it lacks."""
    missing = [line for line in GITIGNORE if line not in before.splitlines()]
    joint = "" if not before or before.endswith("\n") else "\n"
    return before + joint + "".join(f"{line}\n" for line in missing)
