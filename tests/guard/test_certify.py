"""`rarecase guard calibrate` and `plan`, over a real small model and the sample."""

import csv
import json
import re
import shlex
import shutil
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small
from small import NAMES, SAMPLE

import rarecase.guard.guard
from rarecase.cli.main import app, command
from rarecase.core.errors import ModelError
from rarecase.data.arrow import with_column
from rarecase.data.parquet import read_parquet, write_parquet
from rarecase.data.read import read_argument
from rarecase.data.schema import as_table
from rarecase.data.sets import with_classes
from rarecase.data.taxonomy import Taxonomy
from rarecase.evaluate.metrics import all_metrics
from rarecase.guard.bounds import lower_bound
from rarecase.guard.certificate import Certificate, model_sha256
from rarecase.guard.guard import Guard
from rarecase.learn import Learner
from rarecase.learn.frozen import Frozen
from rarecase.learn.record import Description, ModelRecord

RECALL = "medical-advice=0.6,legal-advice=0.6"
ROWS = 120  # of the sample


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A model folder with its record."""
    folder = tmp_path_factory.mktemp("models") / "guard"
    train, dev = small.table("bootstrap"), small.table("dev")
    learner = Frozen("packaged", NAMES, seed=0, encoder=small.encoder(), shared=True).fit(train, dev)
    figures = dict.fromkeys(("dev", "test"), all_metrics([0], [0], NAMES))
    record = ModelRecord.of(learner.describe(), configs=(), train=train, dev=dev, test=dev, measured=figures)
    learner.save(folder, record)
    return folder


class Known(Learner):
    """Knows the labels of the sample, with noise: what takes a fraction of the time of a model."""

    names = NAMES

    def score(self, dataset):
        table = as_table(dataset)
        probs = np.stack([self.probs(text) for text in table["text"][:]])
        return with_column(table, "probs", (probs / probs.sum(axis=1, keepdims=True)).astype(np.float32))

    def probs(self, text: str) -> np.ndarray:
        noise = np.random.default_rng(zlib.crc32(text.encode())).random(len(NAMES))
        return noise + 0.6 * np.array([LABELS.get(text) == name for name in NAMES])


def labels_of(name: str) -> dict[str, str]:
    with (SAMPLE / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return {row["text"]: row["label"] for row in csv.DictReader(file)}


LABELS = {text: label for name in ("pool", "bootstrap", "dev", "test") for text, label in labels_of(name).items()}


@pytest.fixture
def new_guard(trained, tmp_path, monkeypatch) -> Callable[[], Path]:
    """Makes a model folder of that learner anew."""
    monkeypatch.setattr(rarecase.guard.guard, "load_learner", lambda *_, **__: Known())
    sets = {
        name: with_classes(read_argument(str(SAMPLE / f"{name}.csv"), name), Taxonomy.default(), str)
        for name in ("bootstrap", "dev")
    }
    made = Description("frozen", "packaged", "fp32", 0, {}, NAMES)
    figures = dict.fromkeys(("dev", "test"), all_metrics([0], [0], NAMES))
    train, dev = sets["bootstrap"], sets["dev"].select([0])
    record = ModelRecord.of(made, configs=(), train=train, dev=dev, test=dev, measured=figures)

    def make() -> Path:
        shutil.rmtree(tmp_path / "guard", ignore_errors=True)
        shutil.copytree(trained, tmp_path / "guard", ignore=shutil.ignore_patterns("certificate.json"))
        record.write(tmp_path / "guard")
        return tmp_path / "guard"

    return make


@pytest.fixture
def guard(new_guard) -> Path:
    """One such folder."""
    return new_guard()


@pytest.fixture
def held_out(tmp_path) -> Path:
    """Labelled rows that it has not learned from."""
    with (SAMPLE / "test.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:ROWS]
    with (tmp_path / "held-out.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path / "held-out.csv"


@pytest.fixture
def run(capsys) -> Callable[..., tuple[str, str]]:
    """Runs a command of the guard, and gives what it prints and what it says."""

    def calibrate(*arguments: object, status: int = 0) -> tuple[str, str]:
        capsys.readouterr()
        assert command(["guard", *map(str, arguments)]) == status
        printed = capsys.readouterr()
        return printed.out, printed.err

    return calibrate


def certificate(folder: Path) -> Certificate:
    found = Certificate.read(folder)
    assert found is not None
    return found


def rewritten(path: Path, column: str, value: str) -> None:
    """Sets a column in the third row of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows = [{**row, column: value if place == 2 else row.get(column, "")} for place, row in enumerate(rows)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def test_a_certificate_is_what_the_guard_does_on_the_rows(with_onnx, run, trained, held_out):
    guard = trained
    out, err = run("calibrate", guard, "--heldout", held_out, "--recall", RECALL, "--max-alarm", 0.6)
    found = certificate(guard)
    assert err == f"written: {guard / 'certificate.json'}\n"
    content = json.loads((guard / "certificate.json").read_text())
    settings = {"confidence", "preprocessing", "model_sha256", "dtype", "backend"}
    assert {"format", *settings, "classes", "alarm_any", "rows"} <= {*content}
    assert {*content["rows"]} == {"drawn", "labelled", "uses", "ids_sha256", "known"}
    assert (found.rows.drawn, found.rows.labelled, found.rows.uses, found.rows.known) == (ROWS, ROWS, 1, True)
    assert found.model_sha256 == model_sha256(guard, NAMES)
    assert [one.setting for one in found.differences] == ["batches of one text", "smaller batches", "bf16", "onnx"]
    assert found.differences[-1].largest < 1e-3
    with held_out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    scores = Guard.from_pretrained(guard).scores([row["text"] for row in rows]).probs
    for name in ("medical-advice", "legal-advice"):
        of_class, place = found.classes[name], NAMES.index(name)
        assert of_class.threshold is not None
        assert of_class.alarm_rate is not None
        labels = np.array([row["label"] == name for row in rows])
        flagged = scores[:, place] >= of_class.threshold
        assert of_class.positives == labels.sum() == of_class.windows.one
        assert np.count_nonzero(~flagged & labels) <= of_class.misses
        bound = lower_bound(of_class.positives - of_class.misses, of_class.positives, 0.025)
        assert of_class.bound == pytest.approx(bound)
        assert of_class.alarm_rate.rate == pytest.approx(flagged[~labels].mean(), abs=0.01)
        harmless = np.array([row["label"] == "not-harmful" for row in rows])
        assert of_class.alarm_harmless is not None
        assert of_class.alarm_harmless.rate == pytest.approx(flagged[harmless].mean(), abs=0.03)
        says = (
            rf"^{name}: recall at least 0\.\d+ at the threshold 0\.\d+ \(in the sample \d+ or fewer of \d\d score "
            r"below it\); flags [\d.]+ % of the texts that are not of it \(.*\), and [\d.]+ % of the harmless ones$"
        )
        assert re.search(says, out, re.M)
    assert found.not_asked == ("self-harm", "financial-advice", "emergency-situation")
    assert "self-harm: not asked for, so nothing is promised" in out
    both = r"^Of 100 harmless texts \d+ \(.*\) are flagged by at least one class; by the certified classes alone \d+ "
    assert re.search(both, out, re.M)
    says = "of all such calibrations, refusals counted, at most 5 % state for at least one class a recall above"
    assert f"If the targets were fixed before: {says}" in out
    assert "lowest that any of these settings asks for: torch fp32, batches of one text (scores differ" in out
    assert not any(row["text"] in out + (guard / "certificate.json").read_text() for row in rows)
    found.write(guard)
    assert json.loads((guard / "certificate.json").read_text()) == content


def test_a_guard_takes_its_thresholds_from_a_certificate_that_is_of_it(run, trained, held_out, tmp_path):
    guard = shutil.copytree(trained, tmp_path / "copy")
    (guard / "certificate.json").unlink(missing_ok=True)
    line = run("check", guard, held_out, "--require-certificate", status=2)[1]
    assert f"--require-certificate: {guard} has none that is of it (`rarecase guard calibrate` makes one)" in line
    settings = Guard.uncertified(str(guard)).settings(small.table("dev").select([]))
    settings = replace(settings, long_thresholds=dict.fromkeys(NAMES[:5], 0.99))
    replace(ModelRecord.read(guard), guard=settings).write(guard)
    assert Guard.from_pretrained(guard).long_thresholds[0] == 0.99 > Guard.from_pretrained(guard).thresholds[0]
    run("calibrate", guard, "--heldout", held_out, "--recall", RECALL, "--max-alarm", 0.6)
    found, loaded = certificate(guard), Guard.from_pretrained(guard)
    assert loaded.certificate == found
    of_any_length = np.where(np.isin(NAMES, found.certified), loaded.thresholds, 0.99)
    assert np.array_equal(loaded.long_thresholds[:5], of_any_length[:5])
    thresholds = dict(zip(NAMES, loaded.thresholds, strict=True))
    for name in ("medical-advice", "legal-advice"):
        assert thresholds[name] == found.classes[name].threshold
    assert thresholds["self-harm"] == Guard.uncertified(str(guard)).thresholds[NAMES.index("self-harm")]
    lines = [json.loads(line) for line in run("check", guard, held_out, "--require-certificate")[0].splitlines()]
    assert not any(line["certified"] for line in lines)  # three classes are not
    certified = found.classes["legal-advice"]
    replace(found, classes=dict.fromkeys(NAMES[:5], certified)).write(guard)
    lines = [json.loads(line) for line in run("check", guard, held_out, "--require-certificate")[0].splitlines()]
    assert all(line["certified"] for line in lines)
    few = {"self-harm": replace(certified, threshold=None, refused="few")}
    replace(found, classes=few, temperature=3.0).write(guard)
    line = run("check", guard, held_out, "--require-certificate", status=2)[1]
    assert f"--require-certificate: the certificate of {guard} refuses every class; calibrate anew" in line
    assert (Guard.from_pretrained(guard).temperature, Guard.from_pretrained(guard).long_thresholds[0]) == (1.0, 0.99)
    found.write(guard)
    half = Guard.from_pretrained(guard, dtype="bf16")
    assert (half.certificate, half.void) == (found, "")
    replace(found, differences=found.differences[:2]).write(guard)
    half = Guard.from_pretrained(guard, dtype="bf16")
    assert half.certificate is None
    assert half.void == "certificate.json is of fp32, and does not say how far scores in bf16 are from that"
    for other in (replace(found, model_sha256="0" * 64), replace(found, preprocessing="normalizer 0")):
        other.write(guard)
        loaded = Guard.from_pretrained(guard)
        assert loaded.certificate is None
        assert loaded.void.startswith("certificate.json is of ")
        line = run("check", guard, held_out, "--require-certificate", status=2)[1]
        assert f"has none that is of it ({loaded.void})" in line
        assert f"warning: {guard}: {loaded.void}, so its thresholds are not used" in run("check", guard, held_out)[1]


def test_uses_of_the_same_rows_are_counted_beside_them_whichever_model_they_are_for(run, new_guard, guard, held_out):
    out, _ = run("calibrate", guard, "--heldout", held_out, "--recall", RECALL)
    assert "no longer holds" not in out
    new_guard()
    out, _ = run("calibrate", guard, "--heldout", held_out, "--recall", RECALL)
    assert "This is use 2 of the same rows: the confidence of 95 % no longer holds." in out
    assert "If the targets were fixed before" not in out
    held_out.with_name("held-out.csv.uses").unlink()  # then what the certificate says counts
    run("calibrate", guard, "--heldout", held_out, "--recall", RECALL)
    assert certificate(guard).rows.uses == 3


def test_what_is_refused_by_the_number_of_rows_alone_is_no_use(run, guard, held_out):
    out, _ = run("calibrate", guard, "--heldout", held_out, "--recall", "emergency-situation=0.9")
    says = (
        r"emergency-situation: refused, only \d positives: even if none were missed, they would show a recall of "
        r"0\.\d\d at most; at least 2\d more are needed if none is missed"
    )
    assert re.search(says, out)
    assert out.splitlines()[5:] == [
        "Nothing is certified; every class keeps its old, uncertified threshold.",
        "This does not count as a use of the rows: no score of a positive was used.",
    ]
    assert certificate(guard).rows.uses == 0
    assert certificate(guard).differences == ()
    assert not held_out.with_name("held-out.csv.uses").exists()


def test_the_temperature_is_set_on_dev_and_on_no_certification_row(run, guard, held_out, tmp_path):
    dev = shutil.copy(SAMPLE / "dev.csv", tmp_path / "dev.csv")
    run("calibrate", guard, "--heldout", held_out, "--recall", RECALL, "--dev", dev)
    assert 0.05 < certificate(guard).temperature != 1
    _, err = run("calibrate", guard, "--heldout", held_out, "--dev", held_out, status=2)
    assert "120 of its texts are certification rows too; the temperature needs other ones" in err


def test_the_alarms_are_those_of_the_guard_that_is_loaded(run, guard, tmp_path, monkeypatch):
    """Four classes keep their old thresholds, which are others for long texts, and of scores at temperature 1."""
    monkeypatch.setattr(Known, "reader", lambda _: small.encoder().reader())
    old, long = (dict.fromkeys(NAMES[:5], threshold) for threshold in (0.25, 0.35))
    settings = Guard.uncertified(str(guard)).settings(small.table("dev").select([]))
    replace(ModelRecord.read(guard), guard=replace(settings, thresholds=old, long_thresholds=long)).write(guard)
    texts, labels = zip(*list(labels_of("test").items())[:ROWS], strict=True)
    texts = [text + " and so on" * 200 * (i % 2) for i, text in enumerate(texts)]
    lines = (json.dumps({"text": text, "label": label}) for text, label in zip(texts, labels, strict=True))
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    how = ("--recall", "legal-advice=0.2", "--dev", SAMPLE / "dev.csv")
    run("calibrate", guard, "--heldout", tmp_path / "rows.jsonl", *how)
    found, loaded = certificate(guard), Guard.from_pretrained(guard)
    assert found.certified == ("legal-advice",)
    scores = loaded.scores(texts)
    thresholds = np.where(scores.windows[:, None] > 1, loaded.long_thresholds, loaded.thresholds)
    flagged = (scores.probs >= thresholds).any(axis=1)
    assert found.alarm_any.rate == pytest.approx(flagged[np.array(labels) == "not-harmful"].mean())


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("strategy", "entropy", "1 of 120 rows were chosen by a strategy, and what it chose is no random sample (ids"),
        ("origin", "generated", "1 of 120 rows were generated (ids 'sample-"),
        ("annotator", "llm:words", "1 of 120 rows were labelled by a language model (ids 'sample-"),
        ("text", next(iter(labels_of("bootstrap"))).upper(), "1 of 120 rows were trained on, or chosen on"),
        ("label", "medical advice", "label 'medical advice' is not in the taxonomy; did you mean 'medical-advice'?"),
    ],
)
def test_rows_that_are_no_random_sample_of_people_are_refused(run, guard, held_out, column, value, says):
    rewritten(held_out, column, value)
    _, err = run("calibrate", guard, "--heldout", held_out, status=2)
    assert says in err
    assert column == "label" or "; leave them out, for a certificate needs rows drawn at random" in err
    assert not (guard / "certificate.json").exists()


def test_ten_of_the_rows_that_are_refused_are_named(run, guard, tmp_path):
    held_out = shutil.copy(SAMPLE / "bootstrap.csv", tmp_path / "held-out.csv")
    _, err = run("calibrate", guard, "--heldout", held_out, status=2)
    found = re.search(r"(\d+) of \1 rows were trained on.* \(ids (.*) and (\d+) more\); give other rows, for a ", err)
    assert found is not None
    assert len(found[2].split(", ")) == 10 == int(found[1]) - int(found[3])


@pytest.mark.parametrize(
    ("recall", "says"),
    [
        ("medical-advice", "--recall 'medical-advice': expected CLASS=RECALL, such as self-harm=0.9"),
        ("medical-advice=high", "expected CLASS=RECALL"),
        ("medical-advice=0.9, medical-advice=0.8", "--recall: class 'medical-advice' is named twice"),
        ("medical=0.9", "--recall: class 'medical' is no class of the model; did you mean 'medical-advice'?"),
    ],
)
def test_targets_that_are_none_are_one_line(run, guard, held_out, recall, says):
    _, err = run("calibrate", guard, "--heldout", held_out, "--recall", recall, status=2)
    assert says in err


def test_a_certificate_that_is_damaged_is_one_line(tmp_path):
    (tmp_path / "certificate.json").write_text('{"format": 1, "confidence": 0.95}')
    with pytest.raises(ModelError, match=r"certificate.json: max_alarm is missing; .*calibrate again with"):
        Certificate.read(tmp_path)


def test_rows_that_were_left_without_a_label_count_as_missed_and_plan_says_how_to_draw_more(
    run, typed, guard, tmp_path
):
    """Out of a start folder; the command that is printed is typed as it stands."""
    small.write(tmp_path, pool=400)
    sizes = ["--bootstrap", "4", "--dev", "4", "--test", "4", "--certify", "120", "--out", "our start"]
    typed("start", "--pool", "pool.csv", *sizes)
    known = LABELS
    asked = small.relabel("our start/to_label.csv", lambda number, row: "" if number % 60 == 0 else known[row["text"]])
    typed("start", "--resume", "our start")
    left = 120 - len(read_parquet(tmp_path / "our start" / "certify.parquet"))
    assert 0 < left <= len([row for row in asked if not row["label"]])

    recall = ["--recall", "financial-advice=0.8", "--max-alarm", "0.5"]
    out, _ = run("calibrate", "guard", "--heldout", "our start", *recall)
    found = certificate(guard)
    assert (found.rows.drawn, found.rows.labelled) == (120, 120 - left)
    positives = found.classes["financial-advice"].positives - left
    assert f"refused, only {positives} positives, and {left} rows without a label, which count as missed" in out

    out, err = run("plan", "guard", "--heldout", "our start", *recall, "--format", "json")
    plan = json.loads(out)
    assert plan["classes"]["financial-advice"]["texts"] == plan["texts"] > 0
    (line,) = re.findall(r"next: rarecase (.*)", err)
    assert plan["command"] == f"rarecase {line}"
    words = shlex.split(line)
    assert words[:3] == ["start", "--pool", "our start/pool.parquet"]
    assert words[-4:] == ["--taxonomy", "our start/taxonomy.yaml", "--out", "certify"]
    typed(*words)
    small.relabel("certify/to_label.csv", lambda number, row: known[row["text"]])
    typed("start", "--resume", "certify")
    out, _ = run("calibrate", "guard", "--heldout", "certify", *recall)
    assert certificate(guard).rows.drawn == int(words[words.index("--certify") + 1])
    out, _ = run("calibrate", "guard", "--heldout", "our start", "--heldout", "certify", *recall)
    assert certificate(guard).rows.drawn == 120 + int(words[words.index("--certify") + 1])
    _, err = run("calibrate", "guard", "--heldout", "our start", "--heldout", "our start/certify.parquet", status=2)
    assert "our start and our start/certify.parquet have texts in common, so they are no two random samples" in err


def test_plan_names_the_pool_and_its_size_and_refuses_one_that_a_strategy_chose(run, guard, held_out, tmp_path):
    pool = tmp_path / "pool.parquet"
    table = with_classes(read_argument(str(SAMPLE / "pool.csv"), "pool"), Taxonomy.default(), str)
    write_parquet(pool, table)
    recall = ["--recall", "emergency-situation=0.6", "--max-alarm", "0.5", "--confidence", "0.999"]
    out, err = run("plan", guard, "--heldout", held_out, *recall, "--pool", pool)
    assert "emergency-situation: some " in out
    assert "All numbers are for a new set, on which alone you calibrate (--heldout NEW): rows whose scores " in out
    line, of, words = re.findall(r"next \(draws ([\d,]+) of the ([\d,]+) texts; .*\): rarecase (.*)", err)[0]
    assert f"some {of} random texts" in out
    assert f"--certify {line.replace(',', '')} " in words
    line = words
    assert f"--classes {','.join(NAMES)}" in line
    app.parse_args(shlex.split(line), exit_on_error=False, print_error=False)
    _, err = run("plan", guard, "--heldout", held_out, *recall)
    assert err == "--pool POOL says which command draws them\n"

    acquired = tmp_path / "acquired.parquet"
    write_parquet(acquired, with_column(table, "strategy", ["entropy"] * len(table)))
    _, err = run("plan", guard, "--heldout", held_out, *recall, "--pool", acquired, status=2)
    assert "rows were chosen by a strategy, and what it chose is no random sample" in err
    _, err = run("plan", guard, "--heldout", held_out, *recall, "--strategy", "entropy", status=2)
    assert "Unknown option" in err
