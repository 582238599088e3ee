"""Study: a search from Python, with its results as DataFrames and figures."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from finetune_alf.notebook.columns import Columns
from finetune_alf.notebook.console import console_of
from finetune_alf.notebook.plots import StudyPlots
from finetune_alf.notebook.project import in_python, new_project, open_project
from finetune_alf.notebook.search import Search, drawn_search
from finetune_alf.running.bench import Bench, open_bench

if TYPE_CHECKING:
    import optuna
    import pandas as pd

    from finetune_alf.classifier.text_classifier import TextClassifier
    from finetune_alf.compute import Compute
    from finetune_alf.data.sample import Sample
    from finetune_alf.encoder.encoder import Encoder
    from finetune_alf.params import Params
    from finetune_alf.recipe import Recipe
    from finetune_alf.schedules import Schedule


class Study(StudyPlots):
    """A search for the learning rates of an encoder's layers on texts of your own.

    `data` is a DataFrame of pandas or polars, a Dataset or DatasetDict of `datasets`, a pyarrow table, a dictionary of
    these by split (train, and perhaps validation and test), or the path of a CSV, TSV, JSON Lines or Parquet file.
    `text` names the column of texts, two for pairs, or with `{"join": [...]}` several that are joined, `label` that of
    classes or scores, or several of 0 and 1, each called as its class; what is not named is guessed, as by
    `finetune-alf init`. `encoder` is a name of the presets, a folder, or NAME@COMMIT of the hub.

    A project is made in the folder `root`, by default `finetune-alf/<name>` below the working directory, where `name`
    is the file's, or `texts`. All that the commands write is there, and they work in that folder. The same call again
    goes on where the last one stopped.

    `settings` are fields of `params.yaml` by their own names: of the study (`metric`, `space`, `seed`), its recipe
    (`epochs`, `batch`, `max_tokens`), its sample (`n_train`, `n_test`, `balance`, `on_empty`), and of `compute`,
    `register` and `transfer` (`n_workers`, `n_seeds`, `schemes`). They take the place of what is guessed.

    Raises DataError with every row that cannot be used, as one without text, and InputError for other names, columns
    and settings.
    """

    _n_registered: int | None = None
    """The number of trials at the last registration by this object."""

    def __init__(
        self,
        data: object,
        text: Columns | Mapping[str, Any] | None = None,
        label: Columns | None = None,
        encoder: str | Path = "minilm",
        *,
        name: str | None = None,
        root: str | Path | None = None,
        quiet: bool = False,
        **settings: Any,
    ) -> None:
        folder = None if root is None else Path(root)
        self._project = new_project(data, text, label, str(encoder), name, folder, settings, console_of(quiet))
        self._search = drawn_search(self._project)

    @classmethod
    def open(cls, root: str | Path = ".", name: str | None = None, *, quiet: bool = False) -> Self:
        """Return a study of a folder that has parameters, as `init`, `run` or another Study wrote them."""
        study = cls.__new__(cls)
        study._project = open_project(Path(root), name, console_of(quiet))
        study._search = Search(study._project)
        return study

    def run(self, n_trials: int | None = None) -> Self:
        """Search until there are `n_trials`, and estimate importance; finished trials are kept.

        Without a number it takes that of the parameters. An interrupted search goes on when this is called again.
        Raises what the stages do, such as PartialError where trials stay pending.
        """
        from finetune_alf.running.importance import importance
        from finetune_alf.running.study import study

        if n_trials is not None:
            self._project.set(("studies", self.name, "n_trials"), n_trials)
        self._project.keep_params()
        self._search.check_sample()
        study(self._project.context, self.name)
        importance(self._project.context, self.name, again=False)
        return self

    @property
    def name(self) -> str:
        """The name of the study in the project."""
        return self._project.study

    @property
    def root(self) -> Path:
        """The folder of the project."""
        return self._project.paths.root

    @property
    def params(self) -> "Params":
        """All parameters of the project."""
        return self._project.context.params

    @property
    def guesses(self) -> "pd.DataFrame":
        """What was guessed about the table, and what each guess follows from.

        Without what settings took the place of; no rows for a study that was opened.
        """
        import pandas as pd

        found = self._project.guesses
        table = pd.DataFrame.from_dict(found, orient="index", columns=["value", "seen"]).rename_axis("guess")
        return table.assign(seen=table["seen"].map(in_python))

    @property
    def sample(self) -> "Sample":
        """The texts and labels of the study, by split."""
        return self._bench.only

    @property
    def encoder(self) -> "Encoder":
        """The encoder, as `fit` takes it."""
        return self._bench.encoder

    @property
    def recipe(self) -> "Recipe":
        """The recipe of the baseline."""
        return self._project.spec.recipe

    @property
    def compute(self) -> "Compute":
        """How fits run on this machine."""
        return self._project.context.compute

    @property
    def trials(self) -> "pd.DataFrame":
        """One row a finished trial: score, rates by address, seconds; also of a search that was interrupted."""
        from finetune_alf.notebook.tables import trials_table

        return trials_table(self._search.records, self._project.spec.score_name)

    @property
    def best(self) -> "Schedule":
        """The schedule of the best trial, not confirmed; InputError while no trial is complete."""
        from finetune_alf.running.trial_schedule import trial_schedule

        best = self._search.best
        return trial_schedule(self.name, f"trial-{best.number}", self._bench, best)

    @property
    def importance(self) -> "pd.DataFrame":
        """One row an address: its share of the importance by three evaluators, with ranges over subsamples.

        Raises InputError, with the reason, where nothing could be estimated, as from fewer than 8 trials.
        """
        from finetune_alf.notebook.tables import importance_table
        from finetune_alf.study.documents import LayerImportance

        self._search.check_finished()
        return importance_table(LayerImportance.read(self._project.paths.importance(self.name)))

    def register(self) -> "pd.DataFrame":
        """Confirm the best trials, the baseline and the best single rate on unseen texts, and register two schedules.

        Returns one row a scheme, with its difference from the baseline.
        """
        from finetune_alf.experiments.summary import CONFIRMATION

        self._n_registered = None
        self._register()
        return self._compared(CONFIRMATION)

    def transfer(self) -> "pd.DataFrame":
        """Register, then fit each scheme and score it on the test texts; returns one row a scheme."""
        from finetune_alf.experiments.transfer.stage import transfer

        self._register()
        transfer(self._project.context, self.name, self._project.sample)
        return self._compared(self._project.sample)

    def compare(self) -> "pd.DataFrame":
        """Register and transfer; returns the scores of all schemes on confirmation and test texts."""
        self.transfer()
        return self._compared()

    def fit(self, scheme: str = "recommended", train_on: str = "train") -> "TextClassifier":
        """Fit the classifier for use, save it in `models/<study>`, and return it; its model card lies beside it.

        `scheme` is what the evidence recommends, after a registration, or the name of a scheme; baseline, probe and
        others without a searched rate take no search. `train_on` is `train`, or `all` for all texts but the test's.
        """
        from finetune_alf.classifier.folder import load_classifier
        from finetune_alf.experiments.fit.scheme import follows_from_registration
        from finetune_alf.experiments.fit.stage import fit

        self._search.check_sample()
        self._project.set(("fit", self.name), {"scheme": scheme, "train_on": train_on})
        if follows_from_registration(self.params, scheme):
            self._register()
        self._project.keep_params()
        fit(self._project.context, self.name)
        return load_classifier(self._project.paths.model(self.name), self.compute.device)

    def optuna_study(self) -> "optuna.Study":
        """Return the finished trials as an Optuna study in memory, for Optuna's own plots and tables."""
        from finetune_alf.study.optuna_study import optuna_study

        records = self._search.records
        n_layers = records[0].rates.n_layers if records else self.encoder.n_layers
        return optuna_study(records, self._project.spec.space, n_layers, self._project.spec.score_name)

    def __repr__(self) -> str:
        n_trials = self._project.spec.n_trials
        return f"Study({self.name!r}, {len(self._search.records)} of {n_trials} trials, root={str(self.root)!r})"

    def _repr_html_(self) -> str:
        from finetune_alf.notebook.tables import html_table

        places = {"folder": str(self.root), "encoder": self._project.spec.encoder, "sample": self._project.sample}
        return html_table({**places, **self._search.state()})

    @cached_property
    def _bench(self) -> Bench:
        self._search.check_sample()
        return open_bench(self._project.context, self.name)

    def _register(self) -> None:
        """Register, unless this object has done so since its last trial."""
        from finetune_alf.running.register import register

        self._search.check_sample()
        self._search.check_finished()
        n_trials = len(self._search.records)
        if self._n_registered != n_trials:
            register(self._project.context, self.name)
            self._n_registered = n_trials

    def _compared(self, texts: str | None = None) -> "pd.DataFrame":
        """Return the scores of schemes, those on some texts or all."""
        from finetune_alf.experiments.summary import study_summary
        from finetune_alf.notebook.tables import schemes_table

        schemes = study_summary(self._project.context, self.name).schemes
        return schemes_table(one for one in schemes if texts in (None, one.texts))
