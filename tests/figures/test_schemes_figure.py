"""The figure of a testbed: what is shown is settled in a record; the drawing gives the same PNG every time."""

from finetune_alf.experiments.schemes.figure import schemes_info, schemes_plot


def row(scheme, adapter="none", curve="constant", mean=0.8, published=None):
    return {
        "scheme": scheme,
        "adapter": adapter,
        "curve": curve,
        "score": None if mean is None else {"mean": mean, "low": mean - 0.1, "high": mean + 0.1},
        "published": None if published is None else {"accuracy": published, "loss": 0.3},
    }


SAMPLES = {
    "sst2": [row("fixed", published=0.907), row("fixed", "houlsby"), row("fixed", curve="slanted_triangular")],
    "travel": [row("gradual", mean=None), row("fixed", "houlsby", mean=0.7)],
}


def test_each_scheme_and_curve_has_a_row_and_each_adapter_a_colour():
    info = schemes_info(SAMPLES)
    assert info.rows == ("fixed", "fixed, slanted triangular", "gradual")
    assert info.adapters == ("none", "houlsby")
    assert [(sample, [(point.row, point.adapter) for point in points]) for sample, points in info.panels] == [
        ("sst2", [(0, "none"), (0, "houlsby"), (1, "none")]),
        ("travel", [(2, "none"), (0, "houlsby")]),
    ]


def test_what_diverged_and_what_nobody_published_has_no_point():
    first, second = (points[0] for _, points in schemes_info(SAMPLES).panels)
    assert (first.score, first.published) == ((0.8, 0.8 - 0.1, 0.8 + 0.1), 0.907)
    assert (second.score, second.published) == (None, None)


def test_published_accuracies_have_no_place_on_the_axis_of_another_metric():
    points = [point for _, points in schemes_info(SAMPLES, "matthews").panels for point in points]
    assert {point.published for point in points} == {None}


def test_the_same_record_gives_the_same_picture_and_another_record_another():
    png = schemes_plot(SAMPLES)
    assert png.startswith(b"\x89PNG")
    assert png == schemes_plot(SAMPLES)
    assert png != schemes_plot({"sst2": SAMPLES["sst2"]})


def test_an_empty_testbed_can_be_drawn():
    assert schemes_plot({"sst2": [row("fixed", mean=None)]}).startswith(b"\x89PNG")
