"""
What a user's mistake is answered: one line that names file, row or value and the way out, exit 2, no traceback, no
text of a post, and everything on the disk as it was.

The table runs the installed `rarecase`, two cases at a time, before the first test looks at its result: nearly all of
their time goes into importing libraries.
"""

import csv
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from bad_files import SECRET, write_inputs
from endpoint import Server, listening

RARECASE = Path(sys.executable).with_name("rarecase")
KEY = "sk-3f9a1c77e2"
DEFAULTS = {
    "pool": "pool.csv",
    "bootstrap": "start.csv",
    "dev": "dev.csv",
    "test": "test.csv",
    "strategy": "random",
    "annotator": "gold",
    "generator": "none",
    "out": "{case}/out",
}


def command(name: str, defaults: dict[str, str], settings: dict[str, object]) -> str:
    """A command line with these flags; a setting of None is left out."""
    flags = {key.replace("_", "-"): value for key, value in {**defaults, **settings}.items() if value is not None}
    return " ".join([name, *(f"--{key} {shlex.quote(str(value))}" for key, value in flags.items())])


def run(**settings: object) -> str:
    return command("run", DEFAULTS, settings)


def start(**settings: object) -> str:
    sizes = {"pool": "pool.csv", "bootstrap": "5", "dev": "5", "test": "5", "annotator": "gold", "out": "{case}/out"}
    return command("start", sizes, settings)


def simulate(**settings: object) -> str:
    kept = {key: value for key, value in DEFAULTS.items() if key not in ("strategy", "annotator")}
    return command("simulate", {**kept, "strategies": "random"}, settings)


def ask(url: str, **settings: object) -> str:
    return run(generator="openai", generator_url=url, generator_model="words", **settings)


@dataclass(frozen=True)
class Case:
    """
    One row of the table.

    Args:
        name: what is wrong.
        command: its command line; `{case}` is the folder of the case, `{html}` and the like are addresses.
        answer: a pattern for the line, after `rarecase: `.
        before: the name of a folder that stands at `{case}/out` already, see `prepared`.
        change: what is changed there first.
        environment: further variables.
    """

    name: str
    command: str
    answer: str
    before: str = ""
    change: Callable[[Path], object] = lambda out: None
    environment: dict[str, str] = field(default_factory=dict)


def edit(name: str, old: str, new: str) -> Callable[[Path], object]:
    """Changes a text file of the folder."""

    def change(out: Path) -> None:
        content = (out / name).read_text(encoding="utf-8")
        assert old in content
        (out / name).write_text(content.replace(old, new, 1), encoding="utf-8")

    return change


def write(name: str, content: str) -> Callable[[Path], object]:
    return lambda out: (out / name).write_text(content, encoding="utf-8")


def labelled_twice(out: Path) -> None:
    """The first row of `to_label.csv` once more."""
    lines = (out / "to_label.csv").read_text(encoding="utf-8").splitlines()
    (out / "to_label.csv").write_text("\n".join([*lines, lines[1]]) + "\n", encoding="utf-8")


RESUME = "run --resume {case}/out"


TABLES = [
    Case(
        "text column misspelt",
        run(text_column="texts"),
        r"start\.csv: no column 'texts'.*mean 'text'\?.*--text-column",
    ),
    Case(
        "label column misspelt", run(label_column="lable"), r"start\.csv: no column 'lable'.*mean 'label'\?.*--label-c"
    ),
    Case("id column misspelt", run(id_column="idd"), r"start\.csv: no column 'idd'.*mean 'id'\?.*--id-column"),
    Case(
        "text column misspelt in the file",
        run(dev="misspelt.csv"),
        r"misspelt\.csv: no column 'text'.*mean 'txt'\?.*--t",
    ),
    Case(
        "label column misspelt in the file",
        run(dev="misspelt-label.csv"),
        r".*\.csv: no column 'label'.*'lable'\?.*--la",
    ),
    Case("no header", run(dev="no-header.csv"), r"no-header\.csv: no column 'text'.*is the first row a header\?"),
    Case(
        "posts as labels",
        run(label_column="text"),
        r"the column of labels holds 36 different.*--label-column.*--taxonomy",
    ),
    Case(
        "posts as labels, with a taxonomy",
        run(label_column="text", taxonomy="classes.yaml"),
        r"--bootstrap start\.csv row 2: label is not in the taxonomy \(.*--label-column",
    ),
    Case(
        "posts as gold labels", start(label_column="text"), r"the column of labels holds 40 different.*--label-column"
    ),
    Case(
        "label that is no class",
        run(dev="odd-label.csv"),
        r"--dev odd-label\.csv row 6: label 'self harm' is not in the taxonomy; did you mean 'self-harm'\?.*--tax",
    ),
    Case(
        "label that is no class, in the start set",
        run(bootstrap="odd-label.csv"),
        r"--bootstrap odd-label\.csv row 6: label 'self harm' is not in the taxonomy; did you mean 'self-harm'\?",
    ),
    Case(
        "gold label that is no class",
        run(pool="odd-gold.csv"),
        r"--pool odd-gold\.csv row 6: label 'legal-advise' is not in the taxonomy; did you mean 'legal-advice'\?.*--t",
    ),
    Case(
        "gold label that is no class, for start",
        start(pool="odd-gold.csv"),
        r"--pool odd-gold\.csv row 6: label 'legal-adv",
    ),
    Case("empty text", run(dev="empty-text.csv"), r"empty-text\.csv row 6: no text; a labelled set needs one"),
    Case("white text", run(dev="white-text.csv"), r"white-text\.csv row 6: no text; a labelled set needs one"),
    Case("no label", run(dev="no-label.csv"), r"no-label\.csv row 6: no label; a labelled set needs one"),
    Case(
        "an id twice", run(dev="same-ids.csv"), r"same-ids\.csv row 6: the same id as same-ids\.csv row 3.*--id-column"
    ),
    Case(
        "an id in two sets",
        run(dev="other-ids.csv"),
        r"--dev other-ids\.csv row 2: its id stands.* --pool;.*--id-column",
    ),
    Case("invalid UTF-8", run(pool="latin.csv"), r"latin\.csv line \d+: byte \d+ \(0xc4\) is not.*--encoding latin-1"),
    Case(
        "unknown encoding", run(encoding="latin-9000"), r"start\.csv: unknown encoding 'latin-9000'; --encoding takes"
    ),
    Case(
        "NUL byte",
        run(pool="nul.csv"),
        r"nul\.csv line \d+: a NUL byte at position \d+; is the file damaged.*--encoding",
    ),
    Case("text of 1 MB", run(pool="long-text.csv"), r"long-text\.csv row 6: .*expected at most 100,000"),
    Case(
        "text of 1 MB, JSON",
        run(pool="long-text.jsonl"),
        r"long-text\.jsonl row 2: a text of over 100,000 .*; shorten",
    ),
    Case("truncated Parquet", run(pool="cut.parquet"), r"cut\.parquet: no readable Parquet.*\(truncated\?\); fetch"),
    Case("truncated gzip", run(pool="cut.csv.gz"), r"cut\.csv\.gz: ends in the middle \(truncated \.gz file\); fetch"),
    Case(
        "truncated zstd", run(pool="cut.csv.zst"), r"cut\.csv\.zst: ends in the middle \(truncated \.zst file\); fetch"
    ),
    Case("no gzip", run(pool="other.csv.gz"), r"other\.csv\.gz: no readable \.gz file.*make it again"),
    Case("empty file", run(pool="empty.csv"), r"empty\.csv: the file is empty; expected a header and rows"),
    Case(
        "header only",
        run(pool="header-only.csv"),
        r"header-only\.csv: no rows; expected at least one below the header",
    ),
    Case("a comma too many", run(pool="fields.csv"), r"fields\.csv row 42: 4 fields, expected 3 .*; quote a text"),
    Case("an open quote", run(pool="quote.csv"), r"quote\.csv row 42: .*expected CSV: a text with a comma in"),
    Case("no object", run(pool="list.jsonl"), r"list\.jsonl line 1: expected a JSON object, found a list; one object"),
    Case("no JSON", run(pool="cut.jsonl"), r"cut\.jsonl line 1: no valid JSON.*; expected one object a line"),
    Case("unknown ending", run(pool="posts.xlsx"), r"posts\.xlsx: unknown ending; expected \.csv, \.tsv"),
    Case("missing file", run(pool="poll.csv"), r"poll\.csv: no such file or folder.*did you mean 'pool\.csv'\?"),
    Case("empty folder", run(pool="nothing"), r"nothing: no data files in this folder; expected CSV"),
    Case(
        "no data set of the Hub",
        run(pool="org/nothing"),
        r"org/nothing: no file.*the Hub does not answer.*HF_HUB_OFFLINE",
    ),
    Case(
        "a small pool",
        run(pool="five.csv"),
        r"--batch 20: expected at most the 5 posts that the pool has left; lower it",
    ),
    Case("a small pool, dry", run(pool="five.csv") + " --dry-run", r"--batch 20: expected at most the 5 posts"),
    Case("many clusters", run(clusters=100), r"--clusters 100: expected at most the 40 posts that the pool has left"),
    Case(
        "a pool that is the test set",
        run(pool="test.csv"),
        r"no post is left of the 12 .*: all stand in the other sets; give",
    ),
    Case(
        "no gold labels",
        run(pool="unlabelled.csv"),
        r"--annotator gold: the pool has no labels; name .*--annotator file",
    ),
    Case("no pool", run(pool=None), r"--pool is missing: a file, a folder or a data set of the Hub"),
    Case("no dev", run(dev=None), r"--dev is missing: a file, .*or --start FOLDER for all four"),
]

SETTINGS = [
    Case("batch 0", run(batch=0), r"--batch 0: expected at least 1"),
    Case("budget 0", run(budget=0), r"--budget 0: expected at least 1"),
    Case("negative batch", run(batch=-3), r"--batch -3: expected at least 1"),
    Case("negative seed", run(seed=-1), r"--seed -1: expected at least 0"),
    Case("learning rate NaN", run(learning_rate="nan"), r"--learning-rate nan: expected more than 0"),
    Case("word for a number", run(budget="lots"), r"Invalid value for --budget: unable to convert \"lots\" into int"),
    Case("unknown choice", run(annotator="golden"), r"Invalid value \"golden\" for --annotator.*mean \"gold\"\?"),
    Case("unknown flag", run(strategi="random"), r"Unknown option: --strategi\. Did you mean --strategy\?"),
    Case(
        "unknown command",
        "rnu --pool pool.csv",
        r"Unknown command \"rnu\"\. Did you mean \"run\"\?.*Available commands",
    ),
    Case("flag twice", run() + " --out {case}/other", r"Parameter --out specified multiple times"),
    Case(
        "unknown strategy", run(strategy="clutser"), r"--strategy clutser: expected one of random,.*mean 'cluster'\?"
    ),
    Case(
        "unknown strategy, dry", run(strategy="clutser", pool="absent") + " --dry-run", r"--strategy clutser: expected"
    ),
    Case("unknown module", run(strategy="nowhere:f"), r"--strategy nowhere:f: no module 'nowhere' in .* environment"),
    Case("unknown function", run(strategy="divides:dvide"), r"--strategy divides:dvide: no such .*mean 'divide'\?"),
    Case("no module", run(strategy=":divide"), r"--strategy :divide: expected one of random,.*module:function"),
    Case("no function", run(strategy="os:sep"), r"--strategy os:sep: no such function in os"),
    Case("no out", run(out=None), r"--out is missing: the folder to write"),
    Case(
        "out below a file", run(out="pool.csv/out"), r".*pool\.csv/out: cannot be written \(.*\); name another place"
    ),
    Case(
        "config: unknown key", run() + " --config key.yaml", r"key\.yaml: unknown setting 'strateggy'; .*'strategy'\?"
    ),
    Case("config: no mapping", run() + " --config list.yaml", r"list\.yaml: expected a mapping of settings, such as"),
    Case("config: no YAML", run() + " --config syntax.yaml", r"syntax\.yaml: no valid YAML; --config takes"),
    Case(
        "config: a word for a number",
        run() + " --config word.yaml",
        r"Invalid value for \[budget\] from word\.yaml.*int",
    ),
    Case(
        "config: unknown choice", run() + " --config choice.yaml", r"Invalid .* from choice\.yaml.*mean \"frozen\"\?"
    ),
    Case("config: a mapping for a number", run() + " --config nested.yaml", r".*\[budget\].* from nested\.yaml"),
    Case("config: out of range", run() + " --config zero.yaml", r"--batch 0: expected at least 1"),
    Case(
        "config: missing", run() + " --config absent.yaml", r"absent\.yaml: No such file or directory; --config takes"
    ),
    Case(
        "taxonomy: unknown key",
        run(taxonomy="class-key.yaml"),
        r"class-key\.yaml: class 'self-harm' .*mean 'definition'\?",
    ),
    Case(
        "taxonomy: missing", run(taxonomy="absent.yaml"), r"absent\.yaml: No such file or directory; --taxonomy takes"
    ),
    Case(
        "taxonomy: a class less",
        run(taxonomy="few-classes.yaml"),
        r"--bootstrap start\.csv row 2: label 'self-harm' is not",
    ),
]

MODELS = [
    Case(
        "model without weights",
        run(model="model-weightless"),
        r"model-weightless: no weights in it, expected model\.safe",
    ),
    Case("encoder without weights", run(encoder="model-weightless"), r"model-weightless: no weights in it, expected"),
    Case(
        "pickled weights",
        run(model="model-pickled"),
        r"model-pickled: only pickled weights.*expected safetensors: save",
    ),
    Case(
        "own code",
        run(model="model-own-code"),
        r"model-own-code: config\.json names code .*\(auto_map\).*give a model",
    ),
    Case("truncated weights", run(model="model-cut"), r"model-cut: cannot be loaded: .*"),
    Case(
        "NaN in embeddings",
        run(encoder="model-nan", strategy="coreset"),
        r"encoder model-nan: the vector of row 0 .*give",
    ),
    Case(
        "NaN in embeddings of the learner",
        run(model="model-nan"),
        r"encoder model-nan: .* is not finite; give another",
    ),
    Case(
        "NaN in weights",
        run(model="model-nan", learner="finetune"),
        r"model-nan: the training loss is not finite; .*give",
    ),
    Case(
        "no such model",
        run(model="absent/model"),
        r"absent/model: neither a folder nor in the cache.*give a model folder",
    ),
    Case(
        "no such model, and a Hub that is dead",
        run(model="absent/model"),
        r"absent/model: neither a folder nor in the cache, and the Hub cannot be reached; give a model folder",
        environment={"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "{dead}"},
    ),
    Case(
        "dead endpoint", ask("{dead}/v1"), r"http://127\.0\.0\.1:\d+/v1: no answer; start the server .*--generator-url"
    ),
    Case("endpoint of HTML", ask("{html}"), r"http://\S+: the reply is no JSON; --generator-url takes the address"),
    Case("endpoint that refuses", ask("{refusing}"), r"http://\S+: refuses the key \(401\); set OPENAI_API_KEY"),
    Case(
        "endpoint elsewhere",
        ask("https://example.com/v1"),
        r"posts would leave this machine for example\.com; say --send-to",
    ),
    Case("no address", ask("example"), r"--generator-url 'example' is no address; expected http"),
    Case("no endpoint", run(generator="openai"), r"--generator openai needs --generator-url \(or --generator none"),
    Case(
        "replay of no variations",
        run(generator="replay", generator_data="dev.csv"),
        r"--generator-data dev\.csv: column 'parent_id' is missing.*expected a table of variations",
    ),
]

FOLDERS = [
    Case(
        "another format",
        RESUME,
        r".*/run\.json: format 99, this .* reads 1; use",
        "run",
        edit("run.json", '"format": 1', '"format": 99'),
    ),
    Case("another kind", RESUME, r".*/out is the folder of a start, expected a run", "start"),
    Case("garbage", RESUME, r".*/out is no folder of a run: no readable run\.json", "run", write("run.json", "[1")),
    Case("no run", RESUME, r".*/out: no such folder; a run that has none yet is begun with --out"),
    Case("out that exists", run(), r".*/out exists and is not empty; name another --out", "notes"),
    Case("out that exists, start", start(), r".*/out exists and is not empty; name another --out", "notes"),
    Case("out that exists, simulate", simulate(), r".*/out exists and is not empty; name another --out", "notes"),
    Case("out that is a run", run(), r".*/out holds a run already; go on with it by --resume .*/out", "run"),
    Case("out that is a run, simulate", simulate(), r".*/out is the folder of a run, expected a grid", "run"),
    Case(
        "resume with other data",
        f"{RESUME} --pool odd-gold.csv",
        r".* begun with --pool pool\.csv, not odd-gold.*leave",
        "run",
    ),
    Case(
        "resume with another model",
        f"{RESUME} --model org/m",
        r".* begun with --model packaged, not org/m; leave",
        "run",
    ),
    Case(
        "resume with another seed",
        f"{RESUME} --seed 5",
        r".* begun with --seed 0, not 5; leave it as it was, or",
        "run",
    ),
    Case(
        "resume with a taxonomy",
        f"{RESUME} --taxonomy classes.yaml",
        r".* begun without --taxonomy, not classes",
        "run",
    ),
    Case(
        "resume, seed edited",
        RESUME,
        r".* begun with --seed 0, not 7; leave",
        "run",
        edit("config.yaml", "seed: 0", "seed: 7"),
    ),
    Case(
        "resume, classes edited",
        RESUME,
        r".*its taxonomy\.yaml are not those",
        "run",
        edit("taxonomy.yaml", "legal-", "legl-"),
    ),
    Case(
        "resume, table edited",
        RESUME,
        r".*: its tables .* begin anew",
        "run",
        lambda out: shutil.copy(out / "dev.parquet", out / "pool.parquet"),
    ),
    Case(
        "resume, unknown key",
        RESUME,
        r".*unknown setting 'sed'; did you mean 'seed'",
        "run",
        edit("config.yaml", "seed: 0", "sed: 0"),
    ),
    Case(
        "bad label",
        RESUME,
        r".*to_label\.csv row 2: label 'self harm' is not.*mean 'self-harm'\?",
        "run",
        edit("to_label.csv", ",\n", ",self harm\n"),
    ),
    Case(
        "unknown id",
        RESUME,
        r".*to_label\.csv row 2: id 'poll-\d+' is none of those to label; restore",
        "run",
        edit("to_label.csv", "pool-", "poll-"),
    ),
    Case(
        "id twice", RESUME, r".*to_label\.csv row 22: id 'pool-\d+' stands there twice; delete", "run", labelled_twice
    ),
    Case(
        "start: bad label",
        "start --resume {case}/out",
        r".*to_label\.csv row 2: label 'self harm' is not",
        "start",
        edit("to_label.csv", ",,", ",self harm,"),
    ),
    Case("resume elsewhere", f"{RESUME} --out {{case}}/b", r"--out .*/b has no effect beside --resume .*/out;", "run"),
    Case("resume, dry", f"{RESUME} --dry-run", r"--dry-run says what a run would ask for before .*--resume", "run"),
    Case(
        "start: another seed", "start --resume {case}/out --seed 4", r".* begun with --seed 0, not 4; leave", "start"
    ),
    Case(
        "start: not labelled yet",
        "run --start {case}/out --generator none --out {case}/new",
        r".*no pool\.parquet yet; go on with rarecase start --resume",
        "start",
    ),
]

COMMANDS = [
    Case(
        "start: large sets",
        start(test=100),
        r"--bootstrap 5, --dev 5, --test 100, .* fewer than the 40 posts of the pool",
    ),
    Case(
        "start: no labels",
        start(pool="unlabelled.csv"),
        r"--annotator gold: the pool has no labels; name their --label-c",
    ),
    Case(
        "simulate: no labels",
        simulate(pool="unlabelled.csv"),
        r"simulate: the pool has no labels; name their --label-c",
    ),
    Case(
        "simulate: large test set",
        simulate(test=None, test_size=100),
        r"--test-size 100: expected fewer than the 40 rows",
    ),
    Case("simulate: no test set", simulate(test=None), r"--test is missing; give a labelled table, or --test-size N"),
    Case("simulate: no seeds", simulate(seeds=0), r"--seeds 0: expected at least 1"),
    Case(
        "train: no release",
        "train pool.csv --config-name a --out {case}/out",
        r"pool\.csv is no release.*; give one, or a",
    ),
    Case(
        "train: an empty folder",
        "train nothing --config-name a --out {case}/out",
        r"nothing is no release.*; give one",
    ),
    Case("report: no run", "report nothing", r"nothing is no folder of a run or grid or experiment: no readable run"),
    Case(
        "published: a file less",
        "import-published published-missing --out {case}/out",
        r".*dev_labeled\.tsv: No such file.*; expected the folder",
    ),
    Case(
        "published: no category",
        "import-published published-category --out {case}/out",
        r".*bootstrap_labeled\.tsv row 2: category 'medical' is unknown; exp",
    ),
    Case(
        "published: a post as category",
        "import-published published-swapped --out {case}/out",
        r".*_labeled\.tsv row 2: category is unknown; expected",
    ),
    Case(
        "published: columns",
        "import-published published-columns --out {case}/out",
        r".*_labeled\.tsv row 3: 2 columns, expected 4",
    ),
    Case(
        "pool: none of a source",
        "pool pool.csv --per-source 0 --out {case}/p.parquet",
        r"--per-source 0: expected at least 1",
    ),
    Case(
        "pool: misspelt",
        "pool pool.csv --text-column tetx --out {case}/p.parquet",
        r"pool\.csv: no column 'tetx'.*'text'\?",
    ),
    Case(
        "pool: another ending",
        "pool pool.csv --out {case}/pool.csv",
        r"--out .*pool\.csv: expected a name that ends in \.parquet",
    ),
]
CASES = [*TABLES, *SETTINGS, *MODELS, *FOLDERS, *COMMANDS]


@dataclass(frozen=True)
class Result:
    """What became of a case: its process, and the files before and after."""

    done: subprocess.CompletedProcess
    before: dict[str, bytes | None]
    after: dict[str, bytes | None]


def files(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder below a folder, hidden ones too, with the bytes of the files."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def rarecase(command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    """Runs the installed program."""
    settings = {"OPENAI_API_KEY": KEY, "HF_HUB_OFFLINE": "1", "COLUMNS": "100", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [RARECASE, *shlex.split(command)],
        cwd=cwd,
        env={**os.environ, **settings, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="session")
def inputs(tmp_path_factory) -> Path:
    """The folder in which all commands run, with every good and bad table."""
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    return folder


@pytest.fixture(scope="session")
def prepared(inputs, tmp_path_factory) -> dict[str, Path]:
    """Folders to stand at `{case}/out` before: a run and a start that wait for labels, and one with notes."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "notes").mkdir()
    (folder / "notes" / "notes.txt").write_text("not ours")
    for name, command in {"run": run, "start": start}.items():
        done = rarecase(command(annotator="file", out=folder / name), inputs)
        assert done.returncode == 0, done.stderr
        assert "to_label.csv" in done.stderr.splitlines()[-1]
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="session")
def addresses() -> Iterator[dict[str, str]]:
    """Endpoints that answer HTML or refuse the key, and one that is not there."""
    with Server(fault="html") as html, Server(fault="401") as refusing:
        with listening(0) as dead:
            port = dead.getsockname()[1]
        yield {"html": html.url, "refusing": refusing.url, "dead": f"http://127.0.0.1:{port}"}


@pytest.fixture(scope="session")
def results(request, inputs, prepared, addresses, tmp_path_factory) -> Iterator[dict[str, Future]]:
    """Every selected case, begun."""
    root = tmp_path_factory.mktemp("cases")

    def result(case: Case) -> Result:
        folder = root / case.name.replace(" ", "-").replace(":", "")
        folder.mkdir()
        if case.before:
            shutil.copytree(prepared[case.before], folder / "out")
            case.change(folder / "out")
        before = files(folder)
        environment = {name: value.format(**addresses) for name, value in case.environment.items()}
        done = rarecase(case.command.format(case=folder, **addresses), inputs, **environment)
        return Result(done, before, files(folder))

    selected = [item.callspec.params["case"] for item in request.session.items if "case" in _parameters(item)]
    with ThreadPoolExecutor(2) as pool:
        yield {case.name: pool.submit(result, case) for case in selected}


def _parameters(item: pytest.Item) -> dict:
    return getattr(getattr(item, "callspec", None), "params", {}) if item.module.__name__ == __name__ else {}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_is_answered_in_one_line_and_leaves_everything_as_it_was(case, results):
    result = results[case.name].result()
    done, lines = result.done, result.done.stderr.splitlines()
    assert done.returncode == 2, done.stderr
    assert re.match("rarecase: " + case.answer, lines[-1]), lines[-1]
    assert sum(line.startswith("rarecase: ") for line in lines) == 1
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert SECRET not in done.stderr
    assert KEY not in done.stderr
    assert result.after == result.before


def test_the_names_of_the_cases_differ():
    assert len({case.name for case in CASES}) == len(CASES)


def test_reading_leaves_the_inputs_as_they_were(inputs, results, tmp_path):
    for result in results.values():
        result.result()
    write_inputs(tmp_path)
    assert files(inputs) == files(tmp_path)


@pytest.mark.parametrize(
    ("module", "frame"), [("divides:divide", "in divide"), ("breaks:anything", "in <module>")], ids=["call", "import"]
)
def test_an_unforeseen_error_exits_with_1_and_keeps_its_traceback(inputs, tmp_path, module, frame):
    done = rarecase(run(strategy=module, out=tmp_path / "out"), inputs)
    assert done.returncode == 1
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
def test_what_is_no_mistake_works(inputs, tmp_path, settings, warning):
    done = rarecase(run(**settings, budget=20, out=tmp_path / "out"), inputs)
    assert done.returncode == 0, done.stderr
    assert re.search(warning, done.stderr)
    assert (tmp_path / "out" / "data" / "README.md").is_file()
    assert SECRET not in done.stderr + done.stdout


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Callable[[str], Path]]:
    """Mounts a file system in memory of a given size."""
    mounted = tmp_path / "disk"
    mounted.mkdir()

    def mount(size: str) -> Path:
        if os.geteuid():
            pytest.skip("mounting a small disk takes root")
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(mounted)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
        return mounted

    yield mount
    if os.path.ismount(mounted):
        subprocess.run(["umount", str(mounted)], check=True)


def test_a_disk_that_is_full_when_a_run_begins_is_left_empty(inputs, small_disk):
    disk = small_disk("32k")
    done = rarecase(run(out=disk / "out"), inputs)
    assert done.returncode == 2, done.stderr
    assert re.match(r"rarecase: .*no space left on the disk; free some", done.stderr.splitlines()[-1])
    assert "Traceback" not in done.stderr
    assert files(disk) == {}


@pytest.mark.parametrize("room", [16_384, 4_194_304], ids=["rounds", "learner"])
def test_a_disk_that_fills_up_under_way_keeps_whole_files_and_the_run_goes_on(inputs, small_disk, room):
    disk = small_disk("256m")
    assert rarecase(run(annotator="file", budget=20, out=disk / "out"), inputs).returncode == 0
    fill_in(disk / "out" / "to_label.csv")
    with (disk / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, shutil.disk_usage(disk).free - room)
    done = rarecase(f"run --resume {disk / 'out'}", inputs)
    assert done.returncode == 2, done.stderr
    assert re.match(r"rarecase: .*no space left on the disk.*; free some", done.stderr.splitlines()[-1])
    assert "Traceback" not in done.stderr
    kept = [path for path in (disk / "out").rglob("*") if path.is_file()]
    assert not [path for path in kept if path.name.startswith(".")]
    for path in kept:
        if path.suffix == ".parquet":
            pq.read_table(path)
    (disk / "filler").unlink()
    assert rarecase(f"run --resume {disk / 'out'}", inputs).returncode == 0
    assert (disk / "out" / "learner" / "head.safetensors").is_file()


def fill_in(path: Path) -> None:
    """Labels every row of a `to_label.csv`."""
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *([row[0], row[1], "not-harmful"] for row in rows)])
