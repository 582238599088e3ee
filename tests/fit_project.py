"""A small project with an encoder in a folder, for classifiers that are saved."""

import json

from small_project import PARAMS, context_of

BEFORE, _, AFTER = PARAMS.partition("encoders:")
PROJECT = (
    f"{BEFORE}encoders:\n  tiny: {{kind: folder, path: encoder}}\nsamples:{AFTER.partition('samples:')[2]}".replace(
        "schemes: [feature_extraction, baseline, alf-1, alf-2, decayed]\n  n_seeds: 2",
        "schemes: [baseline, {kind: probe, pooling: first}]\n  n_seeds: 1",
    )
)


def project(root, scheme="baseline", seed=1, params=PROJECT, **settings):
    """The context of a project whose classifier is fitted by this scheme."""
    entry = {"scheme": scheme, "seed": seed, **settings}
    (root / "params.yaml").write_text(f"{params}\nfit:\n  tiny: {json.dumps(entry)}\n")
    return context_of(root)
