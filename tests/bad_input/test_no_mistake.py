"""What looks like a mistake and is none works; what is an error of a program keeps its traceback."""

import re

import pytest

from bad_input.cases import run
from bad_input.files import SECRET


@pytest.mark.parametrize(
    ("module", "frame"), [("divides:divide", "in divide"), ("breaks:anything", "in <module>")], ids=["call", "import"]
)
def test_an_unforeseen_error_exits_with_1_and_keeps_its_traceback(rarecase, tmp_path, module, frame):
    done = rarecase(run(strategy=module, out=tmp_path / "out"))
    assert done.status == 1
    assert frame in done.stderr
    assert done.stderr.splitlines()[-1].startswith("ZeroDivisionError")
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("settings", "warning"),
    [
        ({"pool": "latin.csv", "encoding": "latin-1"}, ""),
        ({"bootstrap": "harmless.csv"}, "warning: no example of .*not-harmful in the start set yet"),
        ({"taxonomy": "more-classes.yaml"}, "warning: no example of other in the start set yet"),
        ({"taxonomy": "more-classes.yaml"}, "warning: no example of other in the test set: its F1 is 0"),
        ({"pool": "nan.parquet", "strategy": "coreset"}, ""),  # embeddings are the encoder's, whatever a file brings
    ],
    ids=["another encoding", "a class without example", "a class nowhere", "nor in test", "an own column"],
)
def test_what_is_no_mistake_works(rarecase, tmp_path, settings, warning):
    done = rarecase(run(**settings, budget=20, out=tmp_path / "out"))
    assert done.status == 0, done.stderr
    assert re.search(warning, done.stderr)
    assert (tmp_path / "out" / "data" / "README.md").is_file()
    assert SECRET not in done.stderr + done.stdout
