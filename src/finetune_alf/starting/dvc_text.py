"""The text of a new project's dvc.yaml and .gitignore: one stage a command, for those who keep versions with DVC."""

from importlib import resources

from finetune_alf.starting.params_text import Start

GITIGNORE = ("/data/samples/", "/models/", "/results/", "/studies/", "/mlruns/", "/dvc_plots/")
"""What commands write, and can write again."""

_DVC = """\
# The stages of `finetune-alf run`, and `fit`, for `dvc repro`; before the first, `dvc init`, or `dvc init --no-scm`
# without git.
# DVC runs a stage again when what it depends on has changed; finished fits are not repeated. `dvc metrics show` prints
# scores and differences, `dvc plots show` makes a page, by the templates in plots/. A section that you add to
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
      - results/study/{study}/best.json
    metrics:
      - results/summary/study/{study}.json
    plots:
      - results/plots/history/{study}.json:
          template: plots/history.json
          x: trial
          y: score
          title: Search
          y_label: validation {metric}
      - results/plots/curves/{study}.json:
          template: plots/curves.json
          x: epoch
          y: validation_score
          title: Learning curves of the best trials
          y_label: validation {metric}

  importance:
    desc: How much each address's rate matters
    cmd: exec finetune-alf importance {study}
    deps:
      - results/study/{study}/trials.jsonl
      - results/study/{study}/study.json
    outs:
      - results/importance/{study}.json
      - results/importance/{study}.png
    plots:
      - results/plots/importance/{study}.json:
          template: plots/importance.json
          x: share
          y: address
          title: Importance of each rate

  register:
    desc: Confirm the best trials on texts that none of them saw, and register two
    cmd: exec finetune-alf register {study}
    deps:
      - results/study/{study}/trials.jsonl
      - results/study/{study}/study.json
      - data/samples/{sample}
    params:
      - project
      - register
    outs:
      - results/schedules/{study}.json
      - results/artifacts/{study}
    metrics:
      - results/summary/register/{study}.json
    plots:
      - results/plots/schedules/{study}.json:
          template: plots/schedules.json
          x: address
          y: schedule
          title: Rates of the schedules

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
      - results/transfer/{study}/{sample}.json
    metrics:
      - results/summary/transfer/{study}/{sample}.json
    plots:
      - results/plots/transfer/{study}/{sample}.json:
          template: plots/transfer.json
          x: score
          y: scheme
          title: Schedules on the test texts
          x_label: test score

{fit}  report:
    desc: Tables and figures of all that was run
    cmd: exec finetune-alf report
    deps:
      - results/study/{study}/trials.jsonl
      - results/study/{study}/study.json
      - results/importance/{study}.json
      - results/schedules/{study}.json
      - results/transfer/{study}/{sample}.jsonl
      - results/transfer/{study}/{sample}.json
{fit_results}    params:
      - project
    outs:
      - results/report

# For `dvc artifacts get` in other projects.
artifacts:
  {study}-alf-1:
    path: results/artifacts/{study}/alf-1.json
    type: schedule
    desc: The schedule alf-1, with its confirmed score
    labels:
      - learning-rates
      - layer-freezing
  {study}-alf-2:
    path: results/artifacts/{study}/alf-2.json
    type: schedule
    desc: The schedule alf-2, with its confirmed score
    labels:
      - learning-rates
      - layer-freezing
"""

_FIT = """\
  fit:
    desc: Fit a classifier for use by the scheme that is recommended, save and register it
    cmd: exec finetune-alf fit --study {study}
    deps:
      - results/schedules/{study}.json
      - results/transfer/{study}/{sample}.json
    params:
      - project
      - fit.{study}
      - studies.{study}
      - transfer.schemes
    outs:
      - models/{study}:
          persist: true
      - results/fit/{study}.jsonl
      - results/fit/{study}.json
    metrics:
      - results/summary/fit/{study}.json

"""

_FIT_RESULTS = """\
      - results/fit/{study}.jsonl
      - results/fit/{study}.json
"""


def dvc_text(start: Start) -> str:
    """Return dvc.yaml as text; a classifier is fitted where labels are classes."""
    table = start.table.replace("'", "''")
    names = {"sample": start.sample, "study": start.encoder_name}
    fit, results = (_FIT.format(**names), _FIT_RESULTS.format(**names)) if start.has_classes else ("", "")
    metric = start.metric.value.replace("_", " ")
    return _DVC.format(**names, metric=metric, table=f"'{table}'", fit=fit, fit_results=results)


def plot_templates() -> dict[str, str]:
    """Return the templates of dvc.yaml's plots, by their place in a project."""
    folder = resources.files("finetune_alf.starting") / "plots"
    return {f"plots/{each.name}": each.read_text("utf-8") for each in folder.iterdir() if each.name.endswith(".json")}


def gitignore_text(before: str) -> str:
    """Return .gitignore with the lines that it lacks."""
    missing = [line for line in GITIGNORE if line not in before.splitlines()]
    joint = "" if not before or before.endswith("\n") else "\n"
    return before + joint + "".join(f"{line}\n" for line in missing)
