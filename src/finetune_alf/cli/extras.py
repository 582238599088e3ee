"""The modules of the extra `pipeline`, for a message where one of them is not installed."""

from finetune_alf import __version__
from finetune_alf.errors import InputError

MODULES_OF_PIPELINE = frozenset(
    {
        "altair",
        "datasets",
        "dvc",
        "jinja2",
        "markdown_it",
        "mlflow",
        "numpy",
        "optuna",
        "pandas",
        "pyarrow",
        "safetensors",
        "scipy",
        "sklearn",
        "torch",
        "tqdm",
        "transformers",
        "vl_convert",
    }
)
"""Names as they are imported: scikit-learn is `sklearn`, vl-convert-python `vl_convert`."""


def how_to_install() -> str:
    """Return the command that adds the extra `pipeline`: by name, or from the wheel file of this installation.

    Pip knows the extras of an installed package, so that the name alone will do where no index has the package.
    """
    return (
        'Run `pip install "finetune-alf[pipeline]"`, or, from a wheel file, '
        f'`pip install "finetune_alf-{__version__}-py3-none-any.whl[pipeline]"`.'
    )


def missing_extra(error: ModuleNotFoundError) -> InputError | None:
    """Return the error that names the extra to install; None for a module of no extra."""
    module = (error.name or "").partition(".")[0]
    if module not in MODULES_OF_PIPELINE:
        return None
    return InputError(
        f"cannot import {module}: it is not installed. This command needs the extra `pipeline`. {how_to_install()}"
    )
