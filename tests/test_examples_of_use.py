"""The examples of use in other projects run where only the wheel and what they name is installed."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from new_environment import new_environment

ROOT = Path(__file__).parents[1]
EXAMPLES = {path.stem: path for path in sorted((ROOT / "examples" / "use").glob("*.py"))}
SHOWN = {
    "plain_torch": r"layer\.1 +2,224 +0  frozen\n(.*\n)*loss of the last step: 0\.\d+",
    "trainer": r"'lr/layer\.3': 2e-05",
    "lightning_module": r"head +34 +2e-5  learns\n(.*\n)*steps: 8",
    "peft_lora": r"groups: adapter\.0 adapter\.2 adapter\.3 adapter\.4 adapter\.5 head",
    "probe": r"accuracy on the training texts: \d\.\d\d",
}


def named_by(path: Path) -> list[str]:
    """Return the distributions that an example names in its head."""
    [block] = re.findall(r"^# /// script\n((?:# .*\n)+)# ///\n", path.read_text(), flags=re.MULTILINE)
    dependencies = tomllib.loads(block.replace("# ", "")).get("dependencies", [])
    return [str(each) for each in dependencies]


def test_every_example_names_what_it_needs() -> None:
    assert set(EXAMPLES) == set(SHOWN)
    for path in EXAMPLES.values():
        imported = set(re.findall(r"^(?:import|from) (\w+)", path.read_text(), flags=re.MULTILINE))
        named = {re.split("[<>=]", each)[0] for each in named_by(path)}
        known = {name.replace("finetune_alf", "finetune-alf").replace("sklearn", "scikit-learn") for name in imported}
        assert known - sys.stdlib_module_names <= named, path.name


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment with the wheel and what the examples name."""
    named = {each for path in EXAMPLES.values() for each in named_by(path)} - {"finetune-alf"}
    return new_environment(tmp_path_factory.mktemp("elsewhere"), others=tuple(sorted(named)))


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_in_an_environment_of_its_own(name: str, python: Path, tmp_path: Path) -> None:
    words = [str(python), "-I", str(EXAMPLES[name])]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.search(SHOWN[name], done.stdout), done.stdout
    assert list(tmp_path.iterdir()) == []  # nothing is left behind
