"""
No text of the data gets out of labeling: as `test_no_text`, with people who label, type comments and send what no page
would, a label store on a Hub that is in trouble, and a Space.

Texts are in the label store, and in its files in a private data set, `queue/` and `events/`, and nowhere else.
"""

import contextlib
import re
import signal
import sqlite3
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from pathlib import Path

import httpx
import marked
import pytest
from forks import Result
from huggingface_hub import HfApi
from labelers import Client, act, vote
from marked import MARK, NAMES, TYPED, left_in, traces
from planted import ASIDE, Step, World, ends, fault, prepared, require, run, start

from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.service import LabelService

TEXT = marked.marked(TYPED)  # what somebody types
ON_HUB = "hf://datasets/acme/hub-labels"
LOCAL = "hf_home/rarecase/labels/acme--hub-labels.sqlite"  # its log here
COMPONENT = "/gradio_api/component_server/"


def waits(store: str) -> Callable[[World], bool]:
    """Whether texts wait for people there."""

    def waiting(world: World) -> bool:
        if not (world.root / store).exists():
            return False
        with opened(world.root / store) as service, service.state() as state:
            return any(True for _ in state.work())

    return waiting


@contextlib.contextmanager
def opened(store: Path) -> Iterator[LabelService]:
    service = LabelService(EventLog(str(store)))
    yield service
    service.log.close()


def people(store: str, leave_out: bool = False) -> Callable[[World], None]:
    """Two who label and comment what there is, and a third who settles what they differ on, or leaves it out."""

    def label(world: World) -> None:
        if not (world.root / store).exists():
            return
        with opened(world.root / store) as service:
            for name in ("ann", "bob"):
                for place, entry in enumerate(service.queue(name).queue):
                    service.comment(name, entry["item"], TEXT)
                    service.vote(name, entry["item"], NAMES[name == "bob" and (leave_out or not place % 3)])
            for item in service.to_review("eve"):
                service.review("eve", item.id, None if leave_out else NAMES[2])

    return label


def visited(step: str, store: str) -> Callable[[World], bool]:
    """Once the page is there: people label by its own calls, and everything is sent that could make it fail."""

    def visit(world: World) -> bool:
        try:
            said = (world.root / "printed" / f"{step}.err").read_text(encoding="utf-8", errors="replace")
            found = re.search(r"the labeling page is at (http://[\d.:]+)", said)
            if not found or not urllib.request.urlopen(f"{found[1]}/health", timeout=10):
                return False
        except OSError:
            return False
        label(found[1])
        forge(Client(found[1], "dan"))
        fail(Client(found[1], "fay"), world.root / store)
        return True

    return visit


def label(url: str) -> None:
    """Two people comment and label, and a third settles."""
    ann, bob, eve = (Client(url, name) for name in ("ann", "bob", "eve"))
    for client in (ann, bob):
        for place in range(2):
            item = client.say()["queue"][0]["item"]
            said = client.say(act("comment", item=item, text=TEXT), vote(item, NAMES[client is bob and place]))
            assert all(told["accepted"] for told in said["told"])
    dispute = eve.settle()["dispute"]
    assert {*dispute["comments"]} == {TEXT}
    assert eve.settle(**act("settle", item=dispute["item"], label=NAMES[2]))["told"]["accepted"]


def forge(dan: Client) -> None:
    """What the page would not send, with a text wherever one fits, by somebody who is signed in and by a stranger."""
    acts = [
        *(
            act(kind, item=TEXT, label=TEXT, text=TEXT, seconds=1)
            for kind in ("vote", "skip", "flag", "comment", TEXT)
        ),
        {**vote(TEXT, TEXT), "event": TEXT},
        act("decline", classes=[TEXT]),
    ]
    told = dan.say(*acts)["told"]
    assert [answer["accepted"] for answer in told] == [False] * 6 + [True]  # no such class, and so none is declined
    for settled in (
        {"item": TEXT},
        act("settle", item=TEXT, label=TEXT),
        act("settle", item=TEXT, label=None, me=TEXT),
    ):
        assert not dan.settle(**settled)["told"]["accepted"]
    known = {"component_id": dan._ids[""], "fn_name": "say", "session_hash": dan.session, "data": TEXT}
    stranger = Client(str(dan.http.base_url))
    for http in (stranger.http, dan.http):
        for field in (*known, TEXT):
            http.post(COMPONENT, json={**known, field: TEXT})
        http.post(COMPONENT, content=f'{{"data": "{TEXT}', headers={"Content-Type": "application/json"})
        http.post(COMPONENT, content=b"\xff" + TEXT.encode("utf-16"))
        for path in ("upload", "component_server/"):
            http.post(f"/gradio_api/{path}", files={"files": (TEXT, TEXT.encode())}, data=known)
        for path in ("queue/join", "call/say", "run/predict", "api/say", "reset", "cancel", "stream/x"):
            http.post(
                f"/gradio_api/{path}", json={"data": [TEXT], "fn_index": 0, "session_hash": TEXT, "event_id": TEXT}
            )
        for path in (f"file={TEXT}", f"queue/data?session_hash={TEXT}", f"call/say/{TEXT}", f"proxy=http://{TEXT}/"):
            with contextlib.suppress(httpx.RemoteProtocolError):  # the stream of a queue that nobody has joined
                http.get(f"/gradio_api/{path}")
        http.get(f"/{TEXT}?{TEXT}", headers={"X-Text": TEXT, "Cookie": TEXT})
        http.post("/sign-in", data={"name": TEXT})
    assert stranger.http.get("/config").status_code == 401


def fail(fay: Client, store: Path) -> None:
    """The functions of the page raise, with texts at transaction, and what is answered then holds none."""
    fay.say()
    known = {"component_id": fay._ids[""], "fn_name": "say", "session_hash": fay.session}
    item = next(iter(fay.say()["queue"]), {"item": TEXT})["item"]
    comment = act("comment", item=item, text=TEXT)
    too_long = {**vote(item, TEXT), "seconds": 10**400}
    answers = [fay.http.post(COMPONENT, json={**known, "data": {"acts": [too_long]}})]
    for broken, mended in (
        ("ALTER TABLE events RENAME TO gone", "ALTER TABLE gone RENAME TO events"),
        (
            "CREATE TRIGGER refuse BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'refused'); END",
            "DROP TRIGGER refuse",
        ),
    ):
        statement(store, broken)
        for function, data in (("say", {"acts": [comment, act("decline", classes=NAMES)]}), ("say", None)):
            answers.append(fay.http.post(COMPONENT, json={**known, "fn_name": function, "data": data}))
        statement(store, mended)
    failed = [answer.content for answer in answers if answer.status_code == 500]
    assert len(failed) > 2
    assert [traces(content) for content in failed] == [[]] * len(failed)
    fay.say()


def statement(store: Path, words: str) -> None:
    with contextlib.closing(sqlite3.connect(store, timeout=30)) as database, database:
        database.execute(words)


def of_texts(world: World) -> None:
    """A repository in which somebody has put texts where events should be."""
    odd = {"repo_id": "acme/odd-labels", "repo_type": "dataset"}
    with world.hub.in_process():
        HfApi().create_repo(**odd, private=True)
        HfApi().upload_file(path_or_fileobj=TEXT.encode(), path_in_repo="events/x.jsonl", **odd)


def troubled(world: World) -> None:
    """The next commits fail, one after another."""
    for what in ({"status": 412}, {"status": 500}, {"drop": "before"}, {"drop": "after"}):
        world.hub.fault("acme/hub-labels/commit/", **what)


IMPORT = "label import --store open-labels.sqlite ../given/votes"
SERVE = "label serve --port 0 --store"
# In order: each goes on with what those before made.
HERE = [
    Step(
        "start of people killed",
        start(annotator="people", out="start", store="labels.sqlite"),
        -9,
        kill=(signal.SIGKILL, waits("work/labels.sqlite")),
    ),
    Step("start of people", "start --resume start --store labels.sqlite", meanwhile=people("work/labels.sqlite")),
    Step(
        "run of people killed",
        run(start="start", **dict.fromkeys(marked.PLACES), annotator="people", out="run", store="labels.sqlite"),
        -15,
        kill=(signal.SIGTERM, waits("work/labels.sqlite")),
    ),
    Step("run of people", "run --resume run --store labels.sqlite", meanwhile=people("work/labels.sqlite")),
    Step("report", "report run --format json"),
    Step(
        "all left out",
        run(annotator="people", out="left"),
        meanwhile=people("work/left/labels.sqlite", leave_out=True),
    ),
    Step(
        "texts that wait",
        run(annotator="people", out="open", store="open-labels.sqlite", budget=21, batch=21),
        -9,
        kill=(signal.SIGKILL, waits("work/open-labels.sqlite")),
    ),
    *(
        Step(f"import posts as {column}", f"{IMPORT}-{column}.csv", 2, rf"\S+votes-{column}\.csv row \d: {says}")
        for column, says in {
            "item": "item is not one of those to label here",
            "annotator": "annotator: expected a name",
            "label": r"label is no class \(classes: self-harm",
            "seconds": "seconds: expected a number",
            "batch": "item 'pool-0' is not one of those to label here",
            "head": "no column 'item'",
        }.items()
    ),
    Step("import", f"{IMPORT}.csv"),
    Step(
        "import what is no CSV", "label import ../given/RS_cut.zst --store open-labels.sqlite", 2, r"\S+: no CSV file"
    ),
    Step("status", "label status --store open-labels.sqlite"),
    Step("status json", "label status --store open-labels.sqlite --format json"),
    Step(
        "status of a table", "label status --store ../given/pool.csv", 2, r"--store \S+pool\.csv: file is not a data"
    ),
    Step("forget nobody", "label forget nobody --store open-labels.sqlite", 2, "nobody has signed in as 'nobody'"),
    Step(
        "posts as known answers",
        f"{SERVE} open-labels.sqlite --qualify ../given/swapped.csv",
        2,
        r"\S+swapped\.csv: row 1: label is no class of the store",
    ),
    Step(
        "posts as roles",
        f"{SERVE} open-labels.sqlite --roles ../given/labels.json",
        2,
        r"--roles \S+labels\.json: unknown role",
    ),
    Step(
        "page",
        f"{SERVE} open-labels.sqlite",
        says=r"the labeling page is at http://127\.0\.0\.1:",
        kill=(signal.SIGTERM, visited("page", "work/open-labels.sqlite")),
    ),
    Step("forget", "label forget ann --store open-labels.sqlite"),
    Step("export", "label export --store open-labels.sqlite --out votes.csv"),
]

PUBLISH = "publish labeling hub-run --repo {repo} --space-token-env SPACE_TOKEN --roles"
WITH_ALL = f"{PUBLISH} ../given/roles.yaml --qualify ../given/dev.csv --calibrate-every 2"
REFUSED = r"acme/\S+: the Hub refuses it \(status 400\)"
HUB = [
    Step(
        "run over the Hub killed",
        run(annotator="people", store=ON_HUB, out="hub-run"),
        -9,
        before=troubled,
        kill=(signal.SIGKILL, waits(LOCAL)),
    ),
    Step("run over the Hub", f"run --resume hub-run --store {ON_HUB}", before=troubled, meanwhile=people(LOCAL)),
    Step(
        "run over a Hub that refuses",
        run(annotator="people", store="hf://datasets/acme/refused-labels", out="{case}"),
        -15,
        before=fault("acme/refused-labels/commit/", status=400),
        kill=(signal.SIGTERM, lambda world: len(world.hub.log("acme/refused-labels/commit/")) > 1),  # it goes on
    ),
    Step(
        "texts that wait over the Hub",
        run(annotator="people", store=ON_HUB, out="hub-open", seed=1),
        -15,
        kill=(signal.SIGTERM, lambda world: waits(LOCAL)(world) and len(queued(world)) > 2),
    ),
    Step(
        "page over the Hub",
        f"{SERVE} {ON_HUB}",
        says=r"the labeling page is at http://127\.0\.0\.1:",
        before=troubled,
        kill=(signal.SIGTERM, visited("page-over-the-Hub", LOCAL)),
    ),
    Step(
        "status over the Hub elsewhere",
        f"label status --store {ON_HUB}",
        environment={"RARECASE_STORE": "elsewhere"},
    ),
    Step("export over the Hub", f"label export --store {ON_HUB} --out hub-votes.csv", before=troubled),
    Step(
        "texts as events",
        "label status --store hf://datasets/acme/odd-labels",
        2,
        r"events/x\.jsonl line 1: no event of a label store",
        of_texts,
    ),
    Step("publish dry", f"{WITH_ALL} --dry-run"),
    *(
        Step(f"publish {request} {name}", WITH_ALL, status, says, fault(match, **what))
        for request, match in {"commit": "POST .*/commit/", "secret": "POST .*/secrets"}.items()
        for name, what, status, says in (
            ("400", {"status": 400}, 2, REFUSED),
            ("500", {"status": 500}, 0, ""),
            ("reset", {"drop": "after"}, 0, ""),
        )
    ),
    Step("publish commit 412", WITH_ALL, before=fault("POST .*/commit/", status=412)),
    Step("publish posts as roles", f"{PUBLISH} ../given/labels.json", 2, r"--roles \S+labels\.json: unknown role"),
    Step(
        "publish posts as known answers",
        f"{PUBLISH} ../given/roles.yaml --qualify ../given/swapped.csv",
        2,
        r"\S+swapped\.csv: row 1: label is no class of the store",
    ),
]
STEPS = [*HERE, *HUB]


def queued(world: World) -> list[str]:
    """The batches that are on the Hub, file by file."""
    tree = world.hub.app.state.repos["dataset", "acme/hub-labels"].at("main").tree
    return [path for path in tree if path.startswith("queue/")]


@pytest.fixture(scope="module")
def world(hub, tmp_path_factory) -> Iterator[World]:
    """Everything that the commands find."""
    root = tmp_path_factory.mktemp("no-text-labels")
    with prepared(hub, root, SPACE_TOKEN="hf_carol") as ready:
        yield ready


@pytest.fixture(scope="module")
def results(world) -> Iterator[dict[str, Future]]:
    """How every step ended, or will."""
    with ends(world, HERE, HUB) as ended:
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
    for name in ("votes.csv", "hub-votes.csv"):
        assert len((world.work / name).read_text().splitlines()) > 4


@pytest.mark.usefixtures("finished")
def test_the_hub_is_told_no_text_but_what_is_to_be_labelled_and_in_private(world):
    assert marked.told(world.hub) == []
    repos = world.hub.app.state.repos
    assert all(repo.private for repo in repos.values())
    for (kind, repo_id), repo in repos.items():
        if any(path.startswith(("queue/", "events/")) for path in repo.at("main").tree):
            assert kind == "dataset", repo_id
    assert not world.hub.crashes


def test_all_texts_were_there_and_everything_was_said(world, finished):
    """Else the others would prove nothing."""
    for store in ("work/labels.sqlite", "work/left/labels.sqlite", "work/open-labels.sqlite", LOCAL):
        numbers = set(re.findall(rf"{MARK}(\d\d)".encode(), (world.root / store).read_bytes()))
        assert str(TYPED).encode() in numbers
        assert len(numbers) > 2
    tree = world.hub.app.state.repos["dataset", "acme/hub-labels"].at("main").tree
    on_hub = {path: world.hub.app.state.read(file) for path, file in tree.items()}
    assert any(MARK.encode() in content for path, content in on_hub.items() if path.startswith("queue/"))
    typed = f"{MARK}{TYPED}".encode()
    assert any(typed in content for path, content in on_hub.items() if path.startswith("events/"))
    said = b"".join(result.err for result in finished)
    for line in (
        "DEBUG:httpcore",
        "DEBUG:huggingface_hub",
        "DEBUG:asyncio",
        "ERROR:rarecase.web.failures:DataError",
    ):
        assert line.encode() in said, line
