"""The words of `finetune-alf fit`: a scheme, or a study, as least surprises; and what both would be is refused."""

import pytest
from click.testing import CliRunner

from finetune_alf.cli.entry import group
from finetune_alf.errors import InputError
from finetune_alf.experiments.fit.request import FitRequest, fit_request
from fit_project import PROJECT
from small_project import context_of

STUDY = PROJECT.partition("studies:\n  tiny:\n")[2].partition("importance:")[0]


def context(root, *studies, fit="{}"):
    """A project whose studies are equal but for their names."""
    entries = "".join(f"  {name}:\n{STUDY}" for name in studies)
    before, _, after = PROJECT.partition("studies:\n")
    after = f"importance:{after.partition('importance:')[2]}".replace("studies: [tiny]", f"studies: [{studies[0]}]")
    (root / "params.yaml").write_text(f"{before}studies:\n{entries}{after}\nfit: {fit}\n")
    return context_of(root)


@pytest.mark.parametrize(
    ("word", "named", "expected"),
    [
        (None, (), FitRequest(("tiny",))),
        ("tiny", (), FitRequest(("tiny",))),
        (None, ("tiny",), FitRequest(("tiny",))),
        ("probe", (), FitRequest(("tiny",), "probe")),
        ("distilbert-alf-1", ("tiny",), FitRequest(("tiny",), "distilbert-alf-1")),
        ("alf-tiny@alf-1", (), FitRequest(("tiny",), "alf-tiny@alf-1")),
        ("rates/mine.yaml", (), FitRequest(("tiny",), "rates/mine.yaml")),
    ],
)
def test_with_one_study_a_scheme_or_nothing_is_enough(tmp_path, word, named, expected):
    assert fit_request(context(tmp_path, "tiny"), word, named) == expected


def test_with_several_studies_those_under_fit_come_first_and_otherwise_one_is_named(tmp_path):
    ctx = context(tmp_path, "one", "two", "three", fit="{one: {}, three: {}}")
    assert fit_request(ctx, None) == FitRequest(("one", "three"))
    assert fit_request(ctx, "baseline", ("two", "one")) == FitRequest(("two", "one"), "baseline")
    with pytest.raises(InputError, match=r"one, two, three\. Name one: `finetune-alf fit probe --study one"):
        fit_request(ctx, "probe")
    with pytest.raises(InputError, match=r"Name one: `finetune-alf fit --study one"):
        fit_request(context(tmp_path, "one", "two"), None)


def test_what_is_a_study_and_a_scheme_is_refused_with_both_commands(tmp_path):
    ctx = context(tmp_path, "probe", "two")
    with pytest.raises(InputError, match=r"fit --study probe.*for the study, or .*fit probe --study probe"):
        fit_request(ctx, "probe")
    assert fit_request(ctx, "probe", ("two",)) == FitRequest(("two",), "probe")
    assert fit_request(ctx, None, ("probe",)) == FitRequest(("probe",))


def test_an_unknown_word_is_told_with_the_schemes_and_the_studies(tmp_path):
    context(tmp_path, "tiny")
    told = CliRunner().invoke(group, ["fit", "basline", "--root", str(tmp_path)])
    assert told.exit_code == 3
    assert "baseline" in told.stderr
    assert told.stderr.endswith("Studies are: tiny.\n")
    told = CliRunner().invoke(group, ["fit", "tny", "--root", str(tmp_path)])
    assert told.stderr.endswith("Studies are: tiny (did you mean tiny?).\n")
    told = CliRunner().invoke(group, ["fit", "probe", "--study", "nobody", "--root", str(tmp_path)])
    assert (told.exit_code, "`nobody`, but got tiny" in told.stderr) == (3, True)


def test_fit_takes_a_study_and_a_scheme_as_two_words(tmp_path):
    context(tmp_path, "tiny", "other")
    told = CliRunner().invoke(group, ["fit", "tiny", "basline", "--root", str(tmp_path)])
    assert (told.exit_code, "basline" in told.stderr) == (3, True)
    told = CliRunner().invoke(group, ["fit", "nobody", "probe", "--root", str(tmp_path)])
    assert (told.exit_code, "`nobody`, but got tiny" in told.stderr) == (3, True)
    for words in (["tiny", "probe", "more"], ["tiny", "probe", "--study", "other"]):
        assert CliRunner().invoke(group, ["fit", *words, "--root", str(tmp_path)]).exit_code == 2
