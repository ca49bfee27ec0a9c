"""What `test_no_text` runs: commands that work, that fail and that are killed, over marked texts."""

import json
import re
import shutil
import signal
import urllib.request
from collections.abc import Callable
from pathlib import Path

import bad_input
import marked
import planted_guard
import pyarrow.parquet as pq
from marked import MARK, NAMES, TYPED, read_csv, write_csv
from planted import Step, World, fault, run, start


def ask(kind: str, **settings: object) -> str:
    return run(generator="openai", generator_url=f"{{{kind}}}", generator_model="words", variations=2, **settings)


def judged(kind: str, **settings: object) -> str:
    return run(annotator="llm", annotator_url=f"{{{kind}}}", annotator_model="words", **settings)


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
        says=r"start/to_label\.csv: 10 rows to label \(the earlier file, with labels of other ids, is now",
        before=relabel("start/to_label.csv", text_as("id")),
    ),
    Step(
        "a post in the column of ids",
        "start --resume start",
        2,
        r"start/to_label\.csv row 2: id is not one of those to label; restore",
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
        r"http://\S+: rejects the request \(400\)",
    ),
    *(
        Step(f"endpoint of {kind}", f"run --resume run --generator-url {{{kind}}}", 2, rf"http://\S+: {says}")
        for kind, says in {
            "error401": r"rejects the key \(401\)",
            "error404": r"has no model 'words'",
            "error500": r"still busy \(500 after 7 tries",
            "html": "the reply is not JSON",
            "cut": "the reply is not JSON",
            "list": "the reply has no text",
        }.items()
    ),
    *(
        Step(f"run killed by {by.name}", ask(by.name), -by, kill=(by, asked(by.name)))
        for by in (signal.SIGKILL, signal.SIGTERM)
    ),
    Step("run", "run --resume run --generator-url {filters}"),
    Step("reparse", "generate reparse run --out {case}.parquet"),
    Step(
        "posts as a template",
        ask("filters", template="../given/labels.json"),
        2,
        r"--template \S+labels\.json line 1: no turn begins in it",
    ),
    Step(
        "posts as prices",
        ask("filters", prices="../given/labels.json", max_cost=1),
        2,
        r"\S+labels\.json: ",
    ),
    Step("report", "report run"),
    Step("report json", "report run --format json"),
    Step("report markdown", "report run --format markdown"),
    Step("run replay", run(strategy="cluster", generator="replay", generator_data="run/data:cluster")),
    Step(
        "replay of others",
        run(generator="replay", generator_data="../given/others.csv"),
        2,
        r"the data to replay has variations of \d+ posts, and of none of",
    ),
    Step("run finetune", run(strategy="entropy", learner="finetune", epochs=1)),
    Step(
        "run of people",
        run(start="start", **dict.fromkeys(marked.PLACES), annotator="file", out="people"),
        says="people/to_label",
    ),
    Step("run of people goes on", "run --resume people", before=relabel("people/to_label.csv", labelled)),
    Step(
        "run by a model of error400",
        judged("error400"),
        2,
        r"http://\S+: rejects the request \(400\); try another --annotator-model",
    ),
    Step("run by a model that says posts", judged("filters"), 2, "llm:words: says no class of any of the 2 chosen"),
    Step("run by a model", judged("judge", out="judged")),
    Step("report of a run by a model", "report judged --format json"),
    Step("run by a model and people", judged("filters", doubtful_to="file", out="mixed"), says="mixed/to_label"),
    Step("run by a model and people goes on", "run --resume mixed", before=relabel("mixed/to_label.csv", labelled)),
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
    *planted_guard.STEPS,
    Step("predict", "predict guard ../given/pool.csv --max-length 9 --out {case}.csv"),
    Step(
        "verify with texts as ids",
        "verify ../given/test.csv --trusted ../given/bootstrap.csv --id-column text --to-store doubted-labels.sqlite",
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
            f"wrong-{column}: cannot be read",
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
    Step("predict by the Hub's", "predict acme/frozen@main acme/safety:bootstrap/test --out {case}.parquet"),
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
    Step("purge", "publish remove --repo acme/commit-500 --ids bootstrap-0 --purge --yes --format json"),
    Step("train on the Hub's", "train acme/safety --config-name bootstrap,cluster --model ../given/tiny --out {case}"),
    Step("page", "", -15, before=the_space, program="space/app.py", kill=(signal.SIGTERM, visited)),
]

# Each by itself.
GIVEN = [
    Step("dump cut", "pool ../given/RS_cut.zst --out {case}.parquet", 2, r"\S+ line 4: invalid JSON at"),
    Step(
        "dump without ids",
        "pool ../given/RS_no-id.zst --out {case}.parquet",
        2,
        r"\S+ line 1: no string in key 'id'",
    ),
    Step("texts that are lists", "pool ../given/lists.jsonl --out {case}.parquet", 2, r"\S+ row 1: 'text' is a list"),
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

# What shows a value, of all that is answered in `bad_input`; there `{case}/out` is where a command would write.
BAD = """
text column misspelt | no header | posts as labels | posts as labels, with a taxonomy | posts as gold labels
label that is no class | gold label that is no class | empty text | no label | an id twice | an id in two sets
invalid UTF-8 | NUL byte | text of 1 MB | text of 1 MB, JSON | truncated Parquet | truncated gzip | truncated zstd
a comma too many | an open quote | no object | no JSON | config: no mapping | taxonomy: a class less | pickled weights
own code | truncated weights | NaN in embeddings | replay of no variations | published: a post as category
published: columns | start: no labels | simulate: no labels | pool: misspelt
"""
CASES = {case.name: case for case in bad_input.CASES}
BAD_INPUT = [
    Step(f"bad: {case.name}", case.command, 2, case.answer, cwd="bad")
    for case in (CASES[name.strip()] for name in re.split(r"[|\n]", BAD.strip()))
]
STEPS = [*MADE, *HUB, *GIVEN, *BAD_INPUT]
