"""Mutated replies of a Hub and of a language model: a server on the way changes one of those that a command gets."""

import functools
import http.client
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from datasets import ClassLabel, Dataset, config
from hub_server.server import Hub, bound, serving
from huggingface_hub import HfApi, HfFileSystem, constants

from fuzz import blocks, good
from fuzz.blocks import Act
from fuzz.mutators import Rng, choice, reply_mutated, rng_of
from rarecase.data.read import read_argument
from rarecase.data.taxonomy import Category, Taxonomy
from rarecase.demo_space.data import load_data
from rarecase.generate.writer import Writer
from rarecase.hub.commit import Target, push, read_snapshot
from rarecase.hub.errors import RETRY
from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.repository import exchange
from rarecase.labeling.store.service import LabelService
from rarecase.labeling.store.sync import EventFiles
from rarecase.learn import load_learner
from rarecase.llm import pace
from rarecase.llm.endpoint import Endpoint
from rarecase.llm.replies import Replies
from rarecase.publish.dataset import publish_dataset
from rarecase.publish.plan import Plan
from rarecase.publish.repository import release_in

CASES = 5_000
ENDLESS = 400  # pieces of 1 MB, of a reply that does not end by itself
TAXONOMY = Taxonomy(tuple(Category(name) for name in good.NAMES))


class Server:
    """A server of raw bytes: `answer` gives the reply to a request, and the next but `skip` is mutated by `rng`."""

    def __init__(self, port: int, answer: Callable[[bytes], bytes]):
        self.answer = answer
        self.rng: Rng | None = None
        self.skip = 0
        self.lock = threading.Lock()
        self.listening = bound(port)
        self.listening.listen(64)
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def mutate(self, rng: Rng, skip: int) -> None:
        self.rng, self.skip = rng, skip

    def serve(self) -> None:
        while True:
            connection, _ = self.listening.accept()
            threading.Thread(target=self.one, args=[connection], daemon=True).start()

    def one(self, connection: socket.socket) -> None:
        with connection:
            try:
                if request := received(connection):
                    for piece in self.reply(request):
                        connection.sendall(piece)
            except OSError:
                pass  # the client has had enough

    def reply(self, request: bytes) -> Iterable[bytes]:
        reply = self.answer(request)
        with self.lock:
            rng, self.skip = self.rng, self.skip - 1
            if rng is None or self.skip >= 0:
                return [reply]
            self.rng = None
            if rng.random() < 0.005:
                head = reply.partition(b"\r\n\r\n")[0].lower().replace(b"content-length", b"x-length")
                return (head + b"\r\n\r\n" if place == 0 else b" " * 1_000_000 for place in range(ENDLESS))
            return [reply_mutated(rng, reply)]


def received(connection: socket.socket) -> bytes:
    """A request, whole."""
    content = b""
    while b"\r\n\r\n" not in content:
        if not (piece := connection.recv(65536)):
            return b""
        content += piece
    head, _, body = content.partition(b"\r\n\r\n")
    fields = fields_of(head)
    if fields.get("transfer-encoding") == "chunked":
        while not body.endswith(b"0\r\n\r\n"):
            body += connection.recv(65536)
        return head + b"\r\n\r\n" + unchunked(body)
    while len(body) < int(fields.get("content-length", 0)):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def fields_of(head: bytes) -> dict[str, str]:
    """The header of a request, by names in lower case."""
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def unchunked(body: bytes) -> bytes:
    """A body that was sent in chunks, in one."""
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        whole, body = whole + rest[:length], rest[length + 2 :]
    return whole


def completion(request: bytes) -> bytes:
    """What a language model would answer."""
    answer = {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Rain again."}, "finish_reason": "stop"}]
    }
    if request.startswith(b"GET"):
        answer = {"object": "list", "data": [{"id": "m", "object": "model"}]}
    return reply_of(200, {"Content-Type": "application/json"}, json.dumps(answer).encode())


def reply_of(status: int, fields: dict[str, str], body: bytes) -> bytes:
    """A reply as it goes over the wire."""
    lines = [f"HTTP/1.1 {status} OK", *(f"{name}: {value}" for name, value in fields.items()), "Connection: close"]
    if "content-length" not in map(str.lower, fields):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def forwarded(port: int, request: bytes) -> bytes:
    """What the Hub that listens there answers."""
    head, _, body = request.partition(b"\r\n\r\n")
    method, path, _ = head.decode("latin-1").split("\r\n")[0].split(" ")
    fields = {
        n: v for n, v in fields_of(head).items() if n not in ("transfer-encoding", "content-length", "connection")
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, fields | {"accept-encoding": "identity"})
    answer = connection.getresponse()
    content = answer.read()
    kept = {n: v for n, v in answer.headers.items() if n.lower() not in ("transfer-encoding", "connection", "date")}
    return reply_of(answer.status, kept, content)


class World:
    """The servers of a process, and what is on the Hub."""

    def __init__(self) -> None:
        root = Path(tempfile.mkdtemp(prefix="fuzz-hub-"))
        within = ExitStack()
        self.hub = within.enter_context(serving(root / "real"))
        port = urlsplit(constants.ENDPOINT).port
        self.way = Server(port or 0, functools.partial(forwarded, self.hub.port))
        self.model = Server(0, completion)
        within.enter_context(Hub(root / "front", port or 0).in_process())
        self.fill()
        self.within = within

    def fill(self) -> None:
        publish_dataset(good.folder() / "release", Target(kind="dataset", repo_id="acme/data"), "cc0-1.0")
        api = HfApi()
        api.create_repo("acme/model")
        api.upload_folder(repo_id="acme/model", folder_path=good.folder() / "finetune")
        api.create_repo("acme/labels", repo_type="dataset", private=True)
        api.upload_file(
            repo_id="acme/labels",
            repo_type="dataset",
            path_in_repo="queue/b1-1.jsonl",
            path_or_fileobj=(good.folder() / "events" / "queue.jsonl").read_bytes(),
        )


@functools.cache
def world() -> World:
    """That of this process."""
    return World()


def of_model(rng: Rng, folder: Path) -> Act:
    server = world().model
    server.mutate(rng, 0)
    url, replies = f"http://127.0.0.1:{server.port}/v1", Replies(folder / "replies.sqlite")
    endpoint = Endpoint(url, "m", replies=replies, seed=0)
    if rng.random() < 0.1:
        return endpoint.check
    made = Writer(endpoint, TAXONOMY, seed=0)
    seeds = Dataset.from_dict({"id": ["a"], "text": [f"{blocks.NOBODY} and more"], "label": [0]})
    seeds = seeds.cast_column("label", ClassLabel(names=list(good.NAMES)))
    return lambda: made.generate(seeds, 1)


def of_snapshot() -> object:
    return release_in(read_snapshot(Target(kind="dataset", repo_id="acme/data")))


def of_plan() -> object:
    return publish_dataset(
        good.folder() / "release", Target(kind="dataset", repo_id="acme/data"), "cc0-1.0", send=Plan()
    )


def of_push() -> object:
    target = Target(kind="dataset", repo_id="acme/other")
    return push(target, lambda snapshot: {"a.txt": os.urandom(8), "b.parquet": os.urandom(8)}, "Add a")


def of_labels(folder: Path) -> object:
    service = LabelService(EventLog(str(folder / "labels.sqlite")))
    exchange("acme/labels", EventFiles(service))
    return service.queue("ann")


def case(rng: Rng, folder: Path) -> tuple[str, Act]:
    if rng.random() < 0.7:
        return "of_model", of_model(rng, folder)
    constants.HF_HUB_CACHE = str(folder / "hub")
    config.HF_DATASETS_CACHE = folder / "datasets"
    HfFileSystem.clear_instance_cache()
    acts: dict[str, Act] = {
        "of_snapshot": of_snapshot,
        "of_plan": of_plan,
        "of_push": of_push,
        "of_labels": lambda: of_labels(folder),
        "of_learner": lambda: load_learner("acme/model"),
        "of_rows": lambda: read_argument("acme/data:cluster", "test"),
        "of_demo": lambda: load_data("acme/data"),
    }
    name = choice(rng, ["of_snapshot", "of_plan", "of_push", "of_labels"] * 5 + list(acts)[4:])
    world().way.mutate(rng, int(rng.integers(8 if name in ("of_rows", "of_demo", "of_push") else 4)))
    return name, acts[name]


def begin() -> None:
    """What every process begins with: its servers, and no pauses, which are counted instead."""
    RETRY.wait = lambda seconds: None
    pace.FIRST_PAUSE = 0.001
    time.sleep = slept
    world()
    for number in range(40):  # what is imported on the way
        with tempfile.TemporaryDirectory() as folder:
            _, act = case(rng_of(0, number), Path(folder))
            world().way.rng = world().model.rng = None
            act()


def slept(seconds: float, really: Act = time.sleep) -> None:
    """A short pause; a refusal where somebody would have to wait long."""
    if seconds > blocks.LONGEST:
        raise AssertionError(f"asked to sleep {seconds} s")
    really(min(seconds, 0.01))


def main() -> None:
    good.folder()
    blocks.main(case, CASES, begin)


if __name__ == "__main__":
    main()
