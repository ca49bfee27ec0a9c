"""A run goes on with what it was begun with, or says in one line what is not as it was, and the way out."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import small

from rarecase.cli.main import command
from rarecase.core.errors import DataError
from rarecase.data.arrow import with_column
from rarecase.data.parquet import read_parquet, write_parquet
from rarecase.runs.folder import Manifest, RoundFiles

SETTINGS = ["--annotator", "gold", "--generator", "none", "--strategy", "entropy", "--budget", "8", "--batch", "4"]


@pytest.fixture(scope="module")
def begun(tmp_path_factory) -> Path:
    """The folder of a run that has ended, with its tables beside; tests work on a copy."""
    folder = tmp_path_factory.mktemp("begun")
    assert command(["run", *small.write(folder), *SETTINGS, "--out", str(folder / "out")]) == 0
    return folder


@pytest.fixture
def out(begun, tmp_path) -> Path:
    return Path(shutil.copytree(begun / "out", tmp_path / "out", ignore=shutil.ignore_patterns("learner", "data")))


def said(capsys) -> str:
    """The one line."""
    err = capsys.readouterr().err.splitlines()
    assert [line for line in err if line.startswith("rarecase: ")] == err[-1:], err
    assert "Traceback" not in "".join(err)
    return err[-1]


def swapped(path: Path) -> str:
    """The table with the labels of its first two rows of different classes swapped; gives what it was."""
    good = path.read_text(encoding="utf-8")
    one, other = '"self-harm"', '"not-harmful"'
    one, other = (name if name in good else name.strip('"') for name in (one, other))
    path.write_text(good.replace(f",{one}", ",X", 1).replace(f",{other}", f",{one}", 1).replace(",X", f",{other}", 1))
    assert path.read_text() != good
    return good


def test_a_table_that_is_named_again_must_hold_the_same_rows(begun, out, capsys):
    test = begun / "test.csv"
    again = ["run", "--resume", str(out), "--test", str(test), "--budget", "1"]
    then = f"rarecase: --budget 1: {out} has spent 8 labels; expected at least as many"  # which is looked at next
    good = swapped(test)
    try:
        assert command(again) == 2
        assert f"what --test {test} holds is not what it was begun with; put that back, or" in said(capsys)
        assert command([*again[:3], *again[5:]]) == 2  # which takes the stored copy
        assert said(capsys) == then
        test.write_text(good.replace("\n", "\r\n"), encoding="utf-8", newline="")
        assert command(again) == 2
        assert said(capsys) == then
        test.unlink()
        assert command(again) == 2
        warning = f"warning: --test {test} cannot be read any more; going on with the stored copy"
        assert capsys.readouterr().err.splitlines() == [warning, then]
    finally:
        test.write_text(good, encoding="utf-8")


def test_embeddings_whose_bytes_were_flipped_are_refused_and_may_be_removed(begun, out, capsys):
    vectors = out / "embeddings.safetensors"
    content = bytearray(vectors.read_bytes())
    content[-4000] ^= 64
    vectors.write_bytes(content)
    assert command(["run", "--resume", str(out)]) == 2
    assert said(capsys) == (
        f"rarecase: {vectors}: damaged, or changed; remove it and repeat the command (a run: --resume)"
    )
    vectors.unlink()
    shutil.rmtree(out / "rounds" / "02")
    assert command(["run", "--resume", str(out)]) == 0
    assert small.files(out / "rounds") == small.files(begun / "out" / "rounds")
    head = Path("learner") / "4_Dense" / "model.safetensors"
    assert (out / head).read_bytes() == (begun / "out" / head).read_bytes()


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


OF_A_ROUND = ("scores.parquet", "labels.parquet", "metrics.json")


@pytest.mark.parametrize("name", OF_A_ROUND)
def test_a_file_of_a_round_that_is_cut_off_is_named_with_the_way_on(out, capsys, name):
    path = out / "rounds" / "02" / name
    path.write_bytes(cut(path.read_bytes()))
    assert command(["run", "--resume", str(out)]) == 2
    assert said(capsys) == f"rarecase: {path}: damaged, or changed; remove it and repeat the command (a run: --resume)"


def test_labels_that_were_changed_are_not_mixed_with_the_measurements_of_others(out, capsys):
    """`data/` would hold the ones, and the reports would count the others."""
    path = out / "rounds" / "01" / "labels.parquet"
    labels = read_parquet(path)
    given = labels["label"][:]
    changed = [(label + 1) % 3 for label in given]
    write_parquet(path, with_column(labels, "label", changed, labels.features["label"]))
    for words in (["run", "--resume"], ["report"]):
        assert command([*words, str(out)]) == 2
        assert said(capsys).startswith(f"rarecase: {path}: changed since metrics.json beside it was made; put it back")
    assert not (out / "data").exists()
    for name in ("01/variations.parquet", "01/predictions.parquet", "01/metrics.json"):  # as it says
        (out / "rounds" / name).unlink()
    shutil.rmtree(out / "rounds" / "02")
    assert command(["run", "--resume", str(out)]) == 0
    first = RoundFiles(out).records()[1]
    assert list(first.found.values()) == [changed.count(label) for label in range(len(first.found))]


def test_a_record_of_an_earlier_version_says_nothing_of_its_tables(out):
    for path in (out / "rounds").glob("*/metrics.json"):
        record = json.loads(path.read_text())
        assert list(record.pop("tables", {})) == (
            [] if path.parent.name == "00" else ["chosen", "labels", "variations"]
        )
        path.write_text(json.dumps(record))
    assert command(["run", "--resume", str(out)]) == 0
    assert "tables" not in (out / "data" / "release.json").read_text()


@pytest.mark.parametrize("name", ["chosen", "scores"])
@pytest.mark.parametrize("lacks", ["rows", "id"])
def test_a_round_of_another_pool_is_one_line(out, capsys, name, lacks):
    path = out / "rounds" / "02" / f"{name}.parquet"
    other = read_parquet(path).remove_columns("id") if lacks == "id" else read_parquet(out / "dev.parquet")
    write_parquet(path, other)
    assert command(["run", "--resume", str(out)]) == 2
    assert "a stored table of a round has other rows than the pool; remove the folder of that" in said(capsys)


def edited(change: Callable[[dict], object]) -> Callable[[str], str]:
    def edit(content: str) -> str:
        found = json.loads(content)
        change(found)
        return json.dumps(found)

    return edit


RUN_JSON: dict[str, tuple[Callable[[str], str], str]] = {
    "cut off": (lambda content: content[: len(content) // 2], "no readable run.json"),
    "deep": (lambda content: "[" * 100_000, "no readable run.json"),
    "many digits": (lambda content: '{"format": ' + "9" * 5000 + "}", "no readable run.json"),
    "kind": (edited(lambda run: run.update(kind=["run"])), "is the folder of an unknown kind, expected a run"),
    "format": (edited(lambda run: run.update(format="9" * 1000)), "run.json: format 99999999999999999999, this"),
    "no settings": (edited(lambda run: run.pop("settings")), "settings is missing; begin anew in another --out"),
    "settings": (edited(lambda run: run.update(settings=[1])), "settings: list, expected dict; it was changed"),
    "a setting": (edited(lambda run: run["settings"].update(seed="x")), "settings.seed: str, expected int; it"),
    "a choice": (edited(lambda run: run["settings"].update(learner=[])), "settings.learner: expected one of frozen"),
    "strategy": (edited(lambda run: run.update(strategy={})), "run.json.strategy: dict, expected str; it was"),
    "a digest": (edited(lambda run: run["inputs"].update(pool=3)), "inputs.*: int, expected str; it was changed"),
    "origins": (edited(lambda run: run.update(origins={"pool": [1]})), "origins.*: list, expected dict; it was"),
}


@pytest.mark.parametrize("name", RUN_JSON)
def test_a_hostile_run_json_is_one_line(out, capsys, name):
    change, says = RUN_JSON[name]
    path = out / "run.json"
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    for arguments in (["run", "--resume", str(out)], ["report", str(out)]):
        assert command(arguments) == 2
        line = said(capsys)
        assert says.partition(", expected a run")[0] in line
        assert len(line) < 400


def test_a_run_json_that_the_system_does_not_give_is_said_as_such(tmp_path):
    (tmp_path / "run.json").mkdir()
    with pytest.raises(DataError, match=r"run\.json: cannot be read \(not a file\); correct that"):
        Manifest.read(tmp_path, "run")


@pytest.mark.parametrize("name", ["taxonomy.yaml", "test.parquet"])
def test_a_report_refuses_tables_that_are_not_those_of_the_run(out, capsys, name):
    content = (out / name).read_bytes()
    (out / name).write_bytes(content[:-7])
    assert command(["report", str(out)]) == 2
    assert "its tables or its taxonomy.yaml are not those it was begun with" in said(capsys)
