"""
Every example in a docstring runs as a reader would run it: after `from rarecase import *`, with some tables, an
encoder and a fitted learner at hand, in a folder of its own. What else it uses it imports, unless it is of what is not
public: there the names of its module are known, too.
"""

import doctest
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import small

import rarecase
from rarecase.data.arrow import rows
from rarecase.data.sets import with_classes
from rarecase.learn.frozen import Frozen


def examples() -> Iterator[doctest.DocTest]:
    """Those of all modules, each where it is defined."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for found in pkgutil.walk_packages(rarecase.__path__, "rarecase."):
        source = importlib.util.find_spec(found.name).origin
        if ">>> " in Path(source).read_text(encoding="utf-8"):
            module = importlib.import_module(found.name)
            yield from finder.find(module, found.name, module)
    yield from finder.find(rarecase, "rarecase", rarecase)


EXAMPLES = {example.name: example for example in examples() if example.examples}


@pytest.fixture(scope="module")
def at_hand() -> dict[str, Any]:
    """What every example may use; the tables have `id` and `text`, and all but the pool `label`."""
    taxonomy, encoder = rarecase.Taxonomy.default(), small.encoder()
    tables = {}
    for name, count in {"pool": 24, "bootstrap": 24, "dev": 8, "test": 8}.items():
        table = rarecase.read_table(small.SAMPLE / f"{name}.csv", split="train", labeled=True)
        tables[name] = with_classes(rows(table, range(count)), taxonomy, str)
    start, pool = (rarecase.embed(tables[name], encoder) for name in ("bootstrap", "pool"))
    learner = Frozen("packaged", taxonomy.names, seed=0, encoder=encoder, shared=True).fit(start, tables["dev"])
    return {
        **{name: getattr(rarecase, name) for name in rarecase.__all__ if name != "__version__"},
        **{
            "pool": pool,
            "start": start,
            "labeled": start,
            "train": start,
            "dev": tables["dev"],
            "test": tables["test"],
        },
        **{
            "names": taxonomy.names,
            "taxonomy": taxonomy,
            "encoder": encoder,
            "learner": learner,
            "guard": rarecase.Guard(learner),
        },
    }


@pytest.fixture
def in_folder(tmp_path, monkeypatch, at_hand) -> Path:
    """The working folder of an example, with the files that examples name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test.tsv").write_text("title\tcategory\nSo loud\tloud\nSo calm\tcalm\n")
    return tmp_path


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_of_a_docstring_runs_and_shows_what_it_says(name, at_hand, in_folder, request):
    if name in ("rarecase.learn.make.load_learner", "rarecase.learn.frozen.Frozen.from_pretrained"):
        at_hand["learner"].save("runs/first/learner")
    if name.startswith("rarecase.guard.guard.Guard"):
        at_hand["learner"].save("guard")
    if name == "rarecase.publish.learner.push":
        request.getfixturevalue("fresh_hub")
    example, said = EXAMPLES[name], []
    is_public = name.rpartition(".")[2] in rarecase.__all__
    example.globs = dict(at_hand) if is_public else {**example.globs, **at_hand}
    failed, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append)
    assert not failed, "".join(said)


def test_what_is_public_has_an_example():
    without = [name for name in rarecase.__all__ if ">>>" not in (getattr(rarecase, name).__doc__ or "")]
    assert without == ["RarecaseError", "__version__"]
