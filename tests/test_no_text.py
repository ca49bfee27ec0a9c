"""
No text of the data gets into a log, an error, a card, a metric or a temporary file.

Fifty texts stand in the data, each with a marker that can be nowhere else; requests follow from them, and replies have
markers of their own. All commands run over them at DEBUG, and fail in every way that could show a value. Then all that
was printed, written or sent to the Hub is searched, but for what is there to hold texts (`ASIDE`).

A command more is a row in one of the lists of steps; what has to do with labeling is in `test_no_text_labels`.
`rarecase demo` alone is left out: it takes no data.
"""

import base64
import html
import json
import os
import re
import shutil
import signal
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from pathlib import Path

import marked
import pyarrow.parquet as pq
import pytest
import test_bad_input
from marked import MARK, NAMES, TYPED, Result, left_in, read_csv, readable, traces, write_csv
from planted import ASIDE, Step, World, ends, fault, prepared, require, run, start
from test_bad_input import small_disk  # noqa: F401 - a fixture


def ask(kind: str, **settings: object) -> str:
    return run(generator="openai", generator_url=f"{{{kind}}}", generator_model="words", variations=2, **settings)


def relabel(path: str, change: Callable[[int, marked.Row], marked.Row]) -> Callable[[World], None]:
    """What people do to a `to_label.csv`, row by row."""

    def do(world: World) -> None:
        write_csv(world.work / path, [change(place, row) for place, row in enumerate(read_csv(world.work / path))])

    return do


def labelled(place: int, row: marked.Row) -> marked.Row:
    return {**row, "label": NAMES[place % len(NAMES)]}


def text_as(column: str) -> Callable[[int, marked.Row], marked.Row]:
    """The text of each row in another column, too."""
    return lambda place, row: {**labelled(place, row), column: row["text"]}


def headless(world: World) -> None:
    path = world.work / "start" / "to_label.csv"
    path.write_text(path.read_text(encoding="utf-8").split("\n", 1)[1], encoding="utf-8")


def broken_release(column: str) -> Callable[[World], None]:
    """The release of the run under the card that the Hub has, in which a column holds texts."""

    def do(world: World) -> None:
        folder, path = world.work / f"wrong-{column}", Path("cluster", "train.parquet")
        shutil.copytree(world.work / "run" / "data", folder)
        (folder / "README.md").write_bytes(pushed(world, "dataset", "acme/safety")["README.md"])
        table = pq.read_table(folder / path)
        wrong = table.set_column(table.column_names.index(column), column, table["text"])
        pq.write_table(wrong.replace_schema_metadata(None), folder / path)

    return do


def pushed(world: World, kind: str, repo_id: str) -> dict[str, bytes]:
    """The files of a repository."""
    repo, hub = world.hub.app.state.repos[kind, repo_id], world.hub.app.state
    return {path: hub.read(file) for path, file in repo.at("main").tree.items()}


def uploading(repo: str) -> Callable[[World], bool]:
    """Whether a file is on its way."""
    return lambda world: any(repo in request["query"] for request in world.hub.log("PUT /_lfs"))


def asked(kind: str) -> Callable[[World], bool]:
    """Whether requests are in flight."""
    return lambda world: bool(world.servers[kind].app.in_flight)


def the_space(world: World) -> None:
    """The folder that a Space is made of."""
    for path, content in pushed(world, "space", "acme/safety-demo").items():
        (world.work / "space" / path).parent.mkdir(parents=True, exist_ok=True)
        (world.work / "space" / path).write_bytes(content)


def visited(world: World) -> bool:
    """Once the page is there: types a text into it, and looks at variations beside their original."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    page = f"http://127.0.0.1:{world.port}"

    def call(place: int, *data: object) -> str:
        job = {"data": data, "fn_index": place, "session_hash": f"visit{place}"}
        request = urllib.request.Request(f"{page}/gradio_api/queue/join", json.dumps(job).encode())
        request.add_header("Content-Type", "application/json")
        opener.open(request, timeout=60).close()
        with opener.open(f"{page}/gradio_api/queue/data?session_hash=visit{place}", timeout=60) as answer:
            return answer.read().decode()

    try:
        with opener.open(f"{page}/config", timeout=60) as answer:
            functions = json.load(answer)["dependencies"]
    except OSError:
        return False
    shows = next(place for place, function in enumerate(functions) if len(function["inputs"]) == 3)
    assert "Likeliest" in call(0, marked.marked(TYPED))
    assert MARK in call(shows, "cluster", "every class", None)
    return True


# In order: each goes on with what those before made.
MADE = [
    Step("pool", "pool ../given/pool.csv ../given/RS_2023-01.zst --out pool.parquet --format json"),
    Step("pool of a sample", "pool ../given/RS_2023-01.zst --sources tifu --per-source 2 --out sample.parquet"),
    Step("start waits", start(annotator="file", out="start"), says=r"start/to_label\.csv: 10 rows to label; fill in"),
    Step(
        "posts in the column of labels",
        "start --resume start",
        2,
        r"start/to_label\.csv row 2: label.* is not in the taxonomy",
        relabel("start/to_label.csv", text_as("label")),
    ),
    Step(
        "posts in the column of ids",
        "start --resume start",
        says=r"start/to_label\.csv: 10 rows to label \(what stood there, with labels of other ids, is now",
        before=relabel("start/to_label.csv", text_as("id")),
    ),
    Step(
        "a post in the column of ids",
        "start --resume start",
        2,
        r"start/to_label\.csv row 2: id is none of those to label; restore",
        relabel("start/to_label.csv", lambda place, row: {**row, "id": row["text" if not place else "id"]}),
    ),
    Step("no header", "start --resume start", 2, r"start/to_label\.csv row 1: no column 'id'", headless),
    Step(
        "start",
        "start --resume start",
        says=r"start/to_label\.csv: 10 rows to label",
        before=lambda world: (world.work / "start" / "to_label.csv").unlink(),
    ),
    Step("start labelled", "start --resume start", before=relabel("start/to_label.csv", labelled)),
    Step("dry run", ask("filters") + " --dry-run"),
    Step(
        "endpoint of error400",
        ask("error400", strategy="cluster", budget=4, out="run"),
        2,
        r"http://\S+: refuses the request \(400\)",
    ),
    *(
        Step(f"endpoint of {kind}", f"run --resume run --generator-url {{{kind}}}", 2, rf"http://\S+: {says}")
        for kind, says in {
            "error401": r"refuses the key \(401\)",
            "error404": r"knows no model 'words'",
            "error500": r"still answers 500 after 6 tries",
            "html": "the reply is no JSON",
            "cut": "the reply is no JSON",
            "list": "the reply has no text",
        }.items()
    ),
    *(
        Step(f"run killed by {by.name}", ask(by.name), -by, kill=(by, asked(by.name)))
        for by in (signal.SIGKILL, signal.SIGTERM)
    ),
    Step("run", "run --resume run --generator-url {filters}"),
    Step("report", "report run"),
    Step("report json", "report run --format json"),
    Step("report markdown", "report run --format markdown"),
    Step("run replay", run(strategy="cluster", generator="replay", generator_data="run/data:cluster")),
    Step(
        "replay of others",
        run(generator="replay", generator_data="../given/others.csv"),
        2,
        r"none of the \d posts has variations",
    ),
    Step("run finetune", run(strategy="entropy", learner="finetune", epochs=1)),
    Step(
        "run of people",
        run(start="start", **dict.fromkeys(marked.PLACES), annotator="file", out="people"),
        says="people/to_label",
    ),
    Step("run of people goes on", "run --resume people", before=relabel("people/to_label.csv", labelled)),
    Step("run with texts as ids", run(id_column="text", out="ids")),
    Step("report with texts as ids", "report ids --format json"),
    Step(
        "simulate",
        run(strategy=None, annotator=None, strategies="random,cluster", out="grid").replace("run", "simulate", 1),
    ),
    Step("report of a grid", "report grid --format markdown"),
    Step(
        "train",
        "train run/data --config-name cluster --learner finetune --model ../given/tiny --epochs 1 --out guard",
    ),
    Step("import-published", "import-published ../given/published --out safety --format json"),
    Step(
        "experiment with a model that is not there",
        "experiment --data safety --models ../given/tiny,../given/none --updates 2 --out experiment",
    ),
    Step("report of an experiment", "report experiment --format markdown --examples examples.md"),
    Step(
        "experiment on a grid",
        "experiment --data grid --models ../given/tiny --settings human --updates 2 --out {case}",
    ),
]

DATASET = "publish dataset run --license cc-by-4.0 --repo"
REFUSED = r"acme/\S+: the Hub refuses it \(status 400\)"
HUB = [
    Step("publish dry", f"{DATASET} acme/safety --dry-run"),
    Step("posts as facts", f"{DATASET} acme/x --about ../given/labels.json", 2, r"--about \S+labels\.json: "),
    Step("publish all", "publish all run --repo acme/safety --license cc-by-4.0 --model guard --tag v1"),
    *(
        Step(
            f"{column} that is a text",
            f"train wrong-{column} --config-name cluster --out {{case}}",
            2,
            f"wrong-{column}: can not be read",
            broken_release(column),
        )
        for column in ("label", "round", "votes")
    ),
    Step(
        "publish labels that are texts",
        "publish dataset wrong-label --repo {repo} --license mit",
        2,
        "column 'label' is Value",
    ),
    Step("data of a page that are no data", "wrong-label", program="../given/load_data.py"),
    Step(
        "publish model", "publish model run --repo acme/frozen --license mit --dataset acme/safety@v1 --public --yes"
    ),
    Step("publish demo", "publish demo ids --repo acme/ids-demo --dataset acme/safety"),
    Step(
        "publish the published", "publish dataset safety --repo {repo} --license other --accept-no-license --create-pr"
    ),
    Step(
        "publish without licence",
        "publish dataset safety --repo {repo} --license other",
        2,
        "the source states no lice",
    ),
    Step("publish in public", f"{DATASET} {{repo}} --public", 2, "--public: anybody will be able to read"),
    Step(
        "publish pickled",
        "publish model ../bad/model-pickled --repo {repo} --license mit",
        2,
        r"\S+: only pickled wei",
    ),
    Step(
        "publish what is none", "publish dataset ../given --repo {repo} --license mit", 2, r"\S+ no run and no release"
    ),
    Step(
        "wrong token", f"{DATASET} {{repo}}", 2, r".*not know this token \(401\)", environment={"HF_TOKEN": "hf_wrong"}
    ),
    *(
        Step(f"{request} {name}", f"{DATASET} {{repo}}", status, says, fault(match, **what))
        for request, match in {"commit": "POST .*/commit/", "upload": "PUT /_lfs"}.items()
        for name, what, status, says in (
            ("400", {"status": 400}, 2, REFUSED),
            ("412", {"status": 412}, 0, ""),
            ("429", {"status": 429, "retry_after": 0}, 0, ""),
            ("500", {"status": 500}, 0, ""),
            ("reset before", {"drop": "before"}, 0, ""),
            ("reset after", {"drop": "after"}, 0, ""),
        )
    ),
    *(
        Step(
            f"publish killed by {by.name}",
            f"{DATASET} {{repo}}",
            -by,
            before=fault("PUT /_lfs", delay=2.0),
            kill=(by, uploading(by.name)),
        )
        for by in (signal.SIGKILL, signal.SIGTERM)
    ),
    Step(
        "remove an id that is not there",
        "publish remove --repo acme/safety --ids nobody",
        2,
        "--ids 'nobody': no row of",
    ),
    Step("remove", "publish remove --repo acme/safety --ids bootstrap-0"),
    Step("purge", "publish remove --repo acme/commit-500 --ids bootstrap-0 --purge --format json"),
    Step("train on the Hub's", "train acme/safety --config-name bootstrap,cluster --model ../given/tiny --out {case}"),
    Step("page", "", -15, before=the_space, program="space/app.py", kill=(signal.SIGTERM, visited)),
]

# Each by itself.
GIVEN = [
    Step("dump cut", "pool ../given/RS_cut.zst --out {case}.parquet", 2, r"\S+ line 4: no valid JSON \(it breaks at"),
    Step(
        "dump without ids",
        "pool ../given/RS_no-id.zst --out {case}.parquet",
        2,
        r"\S+ line 1: no key 'id' with a string",
    ),
    Step(
        "texts that are lists", "pool ../given/lists.jsonl --out {case}.parquet", 2, r"\S+ row 1: 'text' holds a list"
    ),
    Step(
        "half a surrogate", "pool ../given/surrogate.jsonl --out {case}.parquet", 2, r"\S+ row 2: half of a surrogate"
    ),
    Step("posts as settings", run() + " --config ../given/labels.json", 2, r"\S+labels\.json: "),
    Step("posts as classes", run(taxonomy="../given/labels.json"), 2, r"\S+labels\.json: expected a list `classes`"),
    Step(
        "short posts as labels",
        start(pool="../given/short.csv", label_column="text"),
        2,
        r"the column of labels holds \d+ different",
    ),
    Step(
        "short posts as labels of six classes",
        start(pool="../given/short.csv", label_column="text", taxonomy="../given/classes.yaml"),
        2,
        r"--pool \S+short\.csv row 2: label is not in the taxonomy",
    ),
    Step(
        "texts and labels swapped",
        run(bootstrap="../given/swapped.csv"),
        2,
        r"the column of labels holds \d+ different",
    ),
    Step(
        "published, short posts as classes",
        "import-published ../given/swapped --out {case}",
        2,
        r"\S+ row 2: category.* is unknown",
    ),
]

# What shows a value, of all that is answered in `test_bad_input`; there `{case}/out` is where a command would write.
BAD = """
text column misspelt | no header | posts as labels | posts as labels, with a taxonomy | posts as gold labels
label that is no class | gold label that is no class | empty text | no label | an id twice | an id in two sets
invalid UTF-8 | NUL byte | text of 1 MB | text of 1 MB, JSON | truncated Parquet | truncated gzip | truncated zstd
a comma too many | an open quote | no object | no JSON | config: no mapping | taxonomy: a class less | pickled weights
own code | truncated weights | NaN in embeddings | replay of no variations | published: a post as category
published: columns | start: no labels | simulate: no labels | pool: misspelt
"""
CASES = {case.name: case for case in test_bad_input.CASES}
BAD_INPUT = [
    Step(f"bad: {case.name}", case.command, 2, case.answer, cwd="bad")
    for case in (CASES[name.strip()] for name in re.split(r"[|\n]", BAD.strip()))
]
STEPS = [*MADE, *HUB, *GIVEN, *BAD_INPUT]


@pytest.fixture(scope="module")
def world(hub, tmp_path_factory) -> Iterator[World]:
    """Everything that the commands find."""
    kinds = ("error400", "error401", "error404", "error500", "html", "cut", "list", "filters")
    root, key = tmp_path_factory.mktemp("no-text"), test_bad_input.KEY
    with prepared(hub, root, kinds=kinds, silent=("SIGKILL", "SIGTERM"), OPENAI_API_KEY=key) as ready:
        yield ready


@pytest.fixture(scope="module")
def results(world) -> Iterator[dict[str, Future]]:
    """How every step ended, or will."""
    with ends(world, [*MADE, *HUB], [*GIVEN, *BAD_INPUT]) as ended:
        yield ended


@pytest.fixture
def finished(results) -> list[Result]:
    """All of them, once all have ended."""
    return [end.result() for end in wait(results.values()).done if not end.exception()]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_command_ends_as_it_should_and_prints_no_text(step, results):
    require(step, results[step.name].result())


@pytest.mark.usefixtures("finished")
def test_no_text_is_in_a_file_that_is_not_there_to_hold_texts(world):
    assert left_in(world.root, ASIDE) == []
    assert {*(world.root / "given").rglob("*"), *(world.root / "bad").rglob("*")} == world.inputs


@pytest.mark.usefixtures("finished")
def test_the_hub_is_told_no_text_but_the_rows_of_data_sets(world):
    assert len(world.hub.app.state.repos) > 10
    assert marked.told(world.hub) == []
    assert not world.hub.crashes


def test_all_texts_were_there_and_everything_was_said(world, finished):
    """Else the others would prove nothing."""
    held = b"".join(readable(path, path.name) for path in sorted(world.work.rglob("*.parquet")))
    numbers = {int(number) for number in re.findall(rf"{MARK}(\d\d)".encode(), held)}
    assert numbers >= {*range(TYPED)}
    assert numbers & {*marked.REPLIES}
    assert all(server.asked for server in world.servers.values())
    assert any(MARK in body for server in world.servers.values() for body in server.bodies)
    said = b"".join(result.err for result in finished)
    for logger in ("httpcore", "datasets", "huggingface_hub", "openai", "matplotlib", "asyncio", "filelock"):
        assert f"DEBUG:{logger}".encode() in said, logger


def without_space(world: World, disk: Path, name: str, command: str) -> None:
    """Runs a command that finds the disk full."""
    result = world.run(Step(name, command))
    assert result.status == 2
    assert re.match(r"rarecase: .*no space left on the disk", result.lines[-1]), result.lines
    assert traces(result.out + result.err) == []
    assert left_in(disk, ASIDE) == []


def test_a_disk_that_is_full_when_a_run_begins_gets_no_text(world, small_disk):  # noqa: F811
    disk = small_disk("32k")
    without_space(world, disk, "no space to begin", run(out=disk / "out"))


def test_a_disk_that_has_no_room_for_replies_gets_no_text(world, small_disk):  # noqa: F811
    disk = small_disk("16m")
    assert world.run(Step("no reply yet", ask("error401", out=disk / "out"))).status == 2
    with (disk / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, shutil.disk_usage(disk).free)
    without_space(world, disk, "no space for replies", f"run --resume {disk}/out --generator-url {{filters}}")


ENCODED: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "JSON": lambda text: json.dumps({"text": text}).encode(),
    "repr": lambda text: repr([text]).encode(),
    "HTML": lambda text: html.escape(text).encode(),
    "address": lambda text: urllib.parse.quote(text).encode(),
    "upper": lambda text: text.upper().encode(),
    "title": lambda text: text.title().encode(),
    "hex": lambda text: text.encode().hex().encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16, big end first": lambda text: text.encode("utf-16-be"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64, a byte in": lambda text: base64.urlsafe_b64encode(b"-" + text.encode()),
    "base64, two bytes in": lambda text: base64.b64encode(b"--" + text.encode()),
}


@pytest.mark.parametrize("form", ENCODED)
def test_a_text_in_a_log_is_found_in_whatever_form(tmp_path, form):
    log = tmp_path / "home" / ".cache" / "log.txt"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"DEBUG: read 50 rows\n")
    assert left_in(tmp_path, ASIDE) == []
    log.write_bytes(b"DEBUG: read \x00" + ENCODED[form](marked.marked(17)) + b"\n")
    assert left_in(tmp_path, ASIDE)


def test_a_part_of_a_text_is_found_and_so_is_a_file_that_is_called_like_one(tmp_path):
    text = marked.marked(17)
    assert all(traces(text[place : place + 40].encode()) for place in range(len(text) - 40))
    (tmp_path / f"{text[:20]}.parquet").touch()
    assert len(left_in(tmp_path, ASIDE)) == 1


def test_a_command_that_logs_a_text_is_found_out(world, tmp_path):
    tables = {name: f"{name}.csv" for name in marked.PLACES}
    command = run(strategy="leaky:strategy", out=tmp_path / "out", model="tiny", encoder="tiny", **tables)
    result = world.run(Step("leaky", command, cwd="given"))
    assert result.status == 1
    debug, error = (line for line in result.err.splitlines() if traces(line))
    assert debug.startswith(b"DEBUG:leaky:the first is ")
    assert error.startswith(b"KeyError: ")
