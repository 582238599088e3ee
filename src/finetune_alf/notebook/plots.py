"""The plots of a Study: methods that draw its search, each a `Picture`."""

from finetune_alf.figures.picture import Picture
from finetune_alf.notebook.project import Project
from finetune_alf.notebook.search import Search


class StudyPlots:
    """The `plot_…` methods of a Study; each shows itself below a cell, and `save` writes it to a file."""

    _project: Project
    _search: Search

    def plot_rates(self) -> Picture:
        """Draw the rates of the baseline, of the best trial, and of the schedules that are registered."""
        from finetune_alf.notebook.pictures import rates_picture

        project = self._project
        return rates_picture(self._search.best, project.spec.recipe, project.paths.schedules(project.study))

    def plot_history(self) -> Picture:
        """Draw the score of each trial, the best so far, and what became of the registered ones on unseen texts."""
        from finetune_alf.notebook.pictures import history_picture

        spec, lock = self._project.spec, self._project.paths.schedules(self._project.study)
        return history_picture(self._search.records, spec.recipe, spec.score_name, lock)

    def plot_importance(self) -> Picture:
        """Draw the importance of each address's rate."""
        from finetune_alf.notebook.pictures import importance_picture
        from finetune_alf.study.documents import LayerImportance

        self._search.check_finished()
        return importance_picture(LayerImportance.read(self._project.paths.importance(self._project.study)))

    def plot_curves(self) -> Picture:
        """Draw losses and scores of the best trial and of the baseline, where that is a trial, by epoch."""
        from finetune_alf.notebook.pictures import curves_picture

        spec = self._project.spec
        return curves_picture(self._search.records, spec.recipe, self._search.best, spec.score_name)
