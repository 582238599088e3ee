"""The paper's numbers, by the cells' names in the presets.

Gamarra Lafuente and Udash, "Effects of Appropriate Modeling of Tasks and Hyperparameters on Downstream Tasks": one fit
each of BERT-base on SST-5 (8,544 training texts), Quora (141,506 pairs) and STS (6,041 pairs), on its development
splits, which also chose the epoch. Of its table 1 (unfrozen layers) and figure 2 (rates), the text gives only the
numbers in `REMARKS`.
"""

from dataclasses import dataclass

TABLES = "tables 2 and 3, one fit each, on the development splits"


@dataclass(frozen=True)
class PublishedCell:
    """A row of its tables, and its millions of parameters where section 5.3.4 gives them."""

    overall: float
    sst5: float
    quora: float
    sts: float
    n_millions: float | None = None

    def of(self, task: str) -> float | None:
        """Return the score of a task, by its name in the presets."""
        return {"sst5": self.sst5, "quora": self.quora, "sts": self.sts}.get(task)


PUBLISHED: dict[str, PublishedCell] = {
    # table 2
    "dropout-0": PublishedCell(0.713, 0.471, 0.765, 0.807),
    "dropout-0.3": PublishedCell(0.7134, 0.4723, 0.7683, 0.8072),
    "dropout-0.4": PublishedCell(0.7157, 0.4869, 0.7658, 0.7992),
    "dropout-0.5": PublishedCell(0.7159, 0.4873, 0.7624, 0.801),
    "dropout-0.6": PublishedCell(0.7151, 0.4859, 0.7606, 0.8035),
    # table 3, its rows in the order of the list in section 5.3.4
    "common-1-own-1": PublishedCell(0.7156, 0.4768, 0.7773, 0.798, 112.3),
    "common-0-own-1": PublishedCell(0.7256, 0.5041, 0.7707, 0.804, 111.7),
    "common-0-own-3": PublishedCell(0.7286, 0.4995, 0.7818, 0.8088, 113.5),
    "common-0-own-5": PublishedCell(0.7175, 0.4768, 0.7738, 0.804, 117.0),
    "common-2-own-2": PublishedCell(0.7188, 0.4841, 0.7728, 0.7991, 114.7),
    "common-5-own-5": PublishedCell(0.7148, 0.4825, 0.7651, 0.7901, 121.7),
    "common-9-own-9": PublishedCell(0.6936, 0.4641, 0.7305, 0.7722, 131.2),
}

REMARKS: dict[str, str] = {
    "top-2": "The paper's top two layers keep 97 % of the whole encoder's score, in 52 % less time (section 5.4.1).",
    "rate-1e-5": "Of the paper's three rates 1e-5 scored best (section 5.4.2).",
    "sts-apart": "In the paper performance rose by roughly 10 percent with STS pairs joined to one input (section 4).",
    "final": (
        "The paper's final model has a rate of 1e-5, dropout .5, three own layers, no common one (section 5.3.5). On "
        "the development split it was better than the model that was only fine-tuned, on the test split it was worse "
        "(section 5.4.5). The text gives no scores of the two."
    ),
}
"""What the text of the paper says, by cell."""
