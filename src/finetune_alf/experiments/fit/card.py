"""The model card of a saved classifier, README.md in its folder: what it is, what it scores, and how it is used."""

import json
from collections.abc import Iterator, Mapping

from finetune_alf.data.text_columns import JoinedText, TextColumns, columns_of
from finetune_alf.experiments.fit.document import FitDocument
from finetune_alf.metric_names import ProblemType
from finetune_alf.recipe import LoraAdapter, Recipe, TfidfRecipe
from finetune_alf.report.markdown import table
from finetune_alf.report.numbers import estimate, rate, score
from finetune_alf.report.recipe_words import (
    classes_in_words,
    course_in_words,
    epochs_in_words,
    kind_in_words,
    rest_in_words,
)
from finetune_alf.report.section import code

CARD_FILE = "README.md"


def model_card(document: FitDocument) -> str:
    """Return the card, in Markdown, with the head that model hubs read."""
    tags = ("library_name: transformers", "pipeline_tag: text-classification") if document.is_pipeline else ()
    parts = (
        ["---", *tags, "tags: [finetune-alf]", "---", "", f"# {document.name}", ""],
        _facts(document),
        ["", "## Score", ""],
        _score(document),
        ["", "## Use", ""],
        _use(document),
        ["", "## Limits", "", _limits(document)],
    )
    return "\n".join(line for part in parts for line in part) + "\n"


_CLASSES: Mapping[ProblemType, str] = {"classification": "", "multi_label": "any number of "}
_SAME: Mapping[ProblemType, str] = {
    "classification": "the most probable class is the same, but where two are about as likely",
    "multi_label": "the classes above .5 are the same",
}
_ARGUMENTS: Mapping[ProblemType, tuple[str, ...]] = {"classification": (), "multi_label": ("top_k=None",)}
"""What transformers' pipeline is given, so that it shows all that a text can have."""


def _limits(document: FitDocument) -> str:
    source = (
        f"The temperature was found on the validation texts{_also_chosen(document)}."
        if document.train_on == "train"
        else "It has seen the validation texts, so that its temperature is that of the same fit on the training split "
        "alone, found on them."
    )
    cut = " Longer texts are cut." if document.max_tokens else ""
    return (
        "The texts that it saw are those of one sample, and its score is that of one fit on test texts from the same "
        f"source: expect less on texts from elsewhere. {source}{cut}"
    )


def _also_chosen(document: FitDocument) -> str:
    """Return what else the validation texts have chosen, beside the epoch."""
    is_searched = document.schedule is not None and document.schedule.version is not None
    return ", by which the schedule was chosen, too" if is_searched else ""


_KEPT = {"head": "", "tail": ", the end of longer ones", "head_tail": ", beginning and end of longer ones"}


def _facts(document: FitDocument) -> Iterator[str]:
    sample, recipe = document.sample, document.recipe
    counts = document.n_texts
    rows = {
        **dict(_model(document)),
        "texts": f"{_training(document)}, {counts['validation']:,} for validation, {counts['test']:,} for the test, of "
        f"sample `{sample.name}` ({sample.digest[:12]})",
        **({"text": _columns(document.text)} if document.text else {}),
        "classes": f"{_CLASSES[document.problem_type]}{', '.join(map(code, document.label_names))}",
        "scheme": f"`{document.scheme}`" + (f": {document.why}" if document.why else ""),
        **(
            {"tokens of a text": f"at most {document.max_tokens}{_KEPT[document.truncation]}"}
            if document.max_tokens
            else {}
        ),
        "seed": str(document.seed),
    }
    if schedule := document.schedule:
        where = f", version {schedule.version} of `{schedule.model}`" if schedule.version else ""
        rows["schedule"] = f"`{schedule.name}` ({schedule.digest[:12]}){where}"
    if isinstance(recipe, Recipe):
        rows["recipe"] = ", ".join(_recipe(recipe))
        rows["learning rates"] = ", ".join(f"{address} {rate(each)}" for address, each in document.rates.items())
    yield table(("", ""), list(rows.items()))


def _recipe(recipe: Recipe) -> Iterator[str]:
    yield f"{epochs_in_words(recipe)}, batch {recipe.batch}"
    yield kind_in_words(recipe.optimizer, recipe.optimizer.kind)
    yield kind_in_words(recipe.curve, f"{recipe.curve.kind} curve")
    yield from (*rest_in_words(recipe), *classes_in_words(recipe), *course_in_words(recipe))


def _model(document: FitDocument) -> Iterator[tuple[str, str]]:
    recipe = document.recipe
    if isinstance(recipe, TfidfRecipe):
        n = recipe.longest_ngram
        yield (
            "model",
            f"{document.trained} of words{f' and of up to {n} in a row' if n > 1 else ''}, without an encoder",
        )
        return
    yield "encoder", f"`{document.encoder.identity}`, {document.encoder.n_layers} layers"
    if document.bottlenecks:
        yield "adapters", f"bottlenecks of width {document.bottlenecks.width}, in `adapter.safetensors`"
    elif isinstance(recipe, Recipe) and isinstance(recipe.adapter, LoraAdapter):
        yield "adapters", f"LoRA of rank {recipe.adapter.rank}, merged into the weights"


def _training(document: FitDocument) -> str:
    n = f"{document.n_texts['train']:,} for training"
    return n if document.train_on == "train" else f"{n}, all labelled texts of the source but its test texts"


def _columns(text: TextColumns) -> str:
    names = " and ".join(map(code, columns_of(text)))
    if isinstance(text, JoinedText):
        return f"columns {names}, joined by {code(json.dumps(text.by))}"
    return f"column {names}" if isinstance(text, str) else f"columns {names}, a pair"


def _score(document: FitDocument) -> Iterator[str]:
    calibration = document.calibration
    measure = document.metric.replace("_", " ")
    yield (
        f"Test {measure}: {estimate(document.score)}, 95 % interval over other texts. One prediction for all has "
        f"{score(document.majority_baseline)}."
    )
    yield ""
    yield (
        f"Calibration error on the {calibration.measured_on} texts: {score(calibration.error_before)} as trained, "
        f"{score(calibration.error_after)} with logits divided by {calibration.temperature:.3f}."
    )


def _examples(text: TextColumns | None) -> tuple[str, str, str]:
    """Return an example of texts as this package, MLflow and transformers' pipeline take it."""
    if isinstance(text, JoinedText):
        return '["a text"]', f"[{json.dumps(text.join, ensure_ascii=False)}]", '["a text"]'
    if isinstance(text, tuple):
        pair = '"a text", "another text"'
        return f"[({pair})]", f"[[{pair}]]", '[{"text": "a text", "text_pair": "another text"}]'
    return ('["a text"]',) * 3


def _use(document: FitDocument) -> Iterator[str]:
    own, rows, inputs = _examples(document.text)
    yield "With finetune-alf, which divides the logits by the temperature:"
    yield from _python(
        "from pathlib import Path",
        "",
        "from finetune_alf.classifier.folder import load_classifier",
        "",
        f"classifier = load_classifier(Path({json.dumps(document.folder)}))",
        f"probabilities = classifier.probabilities({own})",
        "print(classifier.names(probabilities), probabilities)",
    )
    if document.model:
        yield "With MLflow, where its tracking URI names the store that this classifier is registered in:"
        yield from _python(
            "import mlflow",
            "",
            f'print(mlflow.pyfunc.load_model("models:/{document.model}@{document.alias}").predict({rows}))',
        )
    if document.is_pipeline:
        yield f"With transformers, without the temperature; {_SAME[document.problem_type]}:"
        arguments = "".join(f", {each}" for each in (json.dumps(document.folder), *_ARGUMENTS[document.problem_type]))
        yield from _python(
            "from transformers import pipeline",
            "",
            f'print(pipeline("text-classification"{arguments})({inputs}, truncation=True))',
        )
    elif document.truncation == "head_tail" and document.kind == "fine-tuned":
        yield (
            f"transformers' own pipeline computes the same for texts of at most {document.max_tokens} tokens: it cuts "
            "longer ones at their end, and keeps no tail."
        )
    else:
        yield f"transformers' own pipeline does not compute this classifier: {_why_not(document)}"


def _why_not(document: FitDocument) -> str:
    """Return why transformers' pipeline is of no use."""
    if document.kind == "tfidf":
        return "it has no encoder, and the pipeline refuses its folder."
    if document.bottlenecks:
        return (
            "it knows no bottleneck adapters, and refuses this folder. The encoder in `encoder/` by itself, which it "
            "would load, is another classifier, with other answers."
        )
    if document.kind == "fine-tuned":
        return "it reads the first token, and this one the mean of all."
    return "it has no such head."


def _python(*lines: str) -> Iterator[str]:
    yield from ("", "```python", *lines, "```", "")
