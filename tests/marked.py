"""
Marked texts, the search for what is left of them, and what it takes to have every command at them: an endpoint that
repeats what it was sent, and the variables by which every library is at DEBUG.
"""

import base64
import csv
import fnmatch
import json
import os
import random
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import tiny_models
import zstandard
from bad_input.files import SECRET
from endpoint import Server, completion
from hub_server import Hub
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from rarecase.data.taxonomy import Taxonomy

NAMES = Taxonomy.default().names
MARK = "zqxvj"  # begins every marker, and is part of no word
BIRDS = ("avocet", "bittern", "curlew", "dunlin", "egret", "falcon", "grebe", "heron", "ibis", "jay", "kestrel")
POSTS = (
    "my landlord keeps the deposit and what can I do, he says 'never'",
    "is a dose of 20 mg too much for somebody who weighs 50 kg?",
    "the bank wants <everything> back & I owe 3,000 € by \\monday",
    "nobody would notice if I were gone, they said so",
    'smoke comes out of the wall and the door is "locked"!',
)
# Which texts stand where, each of the fifty in one place alone. Replies of the language model have their own markers.
PLACES = {"bootstrap": range(12), "dev": range(12, 18), "test": range(18, 24), "pool": range(24, 45)}
DUMP, TYPED, REPLIES = range(45, 49), 49, range(50, 100)

Row = dict[str, str]


def marked(number: int, short: bool = False) -> str:
    """A post with its marker in every part of it: whatever is cut off of it, the marker is in the rest."""
    word = f"{MARK}{number:02}{BIRDS[number % len(BIRDS)]}"
    draws = random.Random(number)
    if short:
        return f"{word} {draws.choice(['help', 'please', 'why me', 'what now'])}"
    said = POSTS[number % len(POSTS)].split()
    draws.shuffle(said)
    return " ".join(" ".join([word, *said[place : place + 3]]) for place in range(0, len(said), 3))


def rows(place: str) -> list[Row]:
    """The posts of a set; every third is as short as a label, and the source of each is an address that says it."""
    return [
        {
            "id": f"{place}-{i}",
            "text": marked(number, short=number % 3 == 0),
            "label": NAMES[i % len(NAMES)],
            "source": f"https://forum.example/{marked(number, short=True).replace(' ', '-')}",
        }
        for i, number in enumerate(PLACES[place])
    ]


def write_csv(path: Path, table: Iterable[Row]) -> None:
    """A table of some rows, quoted where it has to be."""
    table = list(table)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, table[0])
        writer.writeheader()
        writer.writerows(table)


def read_csv(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_inputs(folder: Path) -> None:
    """All that goes in: the four sets, a dump, what else a command may be given by mistake, and a small model."""
    for place in PLACES:
        write_csv(folder / f"{place}.csv", rows(place))
    posts = [{"id": f"r{n}", "title": marked(n), "selftext": marked(n), "author": "me"} for n in DUMP]
    dump = "\n".join(json.dumps({**post, "subreddit": "tifu"}) for post in posts)
    for name, lines in {"2023-01": dump, "cut": dump[:-9], "no-id": dump.replace('"id"', '"di"')}.items():
        (folder / f"RS_{name}.zst").write_bytes(zstandard.compress(lines.encode()))
    pool = rows("pool")
    write_csv(folder / "short.csv", [{**row, "text": marked(n, short=True)} for n, row in enumerate(pool)])
    write_csv(folder / "swapped.csv", [{**row, "text": row["label"], "label": row["text"]} for row in pool])
    write_csv(
        folder / "others.csv", [{**row, "id": f"{row['id']}-1", "parent_id": f"other-{row['id']}"} for row in pool]
    )
    (folder / "labels.json").write_text(json.dumps({marked(0, short=True): "self-harm", marked(1): "x"}))
    (folder / "classes.yaml").write_text(json.dumps({"classes": [{"name": name} for name in NAMES]}))
    (folder / "lists.jsonl").write_text(json.dumps({"text": [marked(0)]}))
    (folder / "surrogate.jsonl").write_text(
        "\n".join(json.dumps({"text": f"{marked(0)}{end}"}) for end in ("", "\ud800"))
    )
    (folder / "load_data.py").write_text(LOAD_DATA)
    (folder / "leaky.py").write_text(LEAKY)
    write_votes(folder)
    tiny_models.write("google-bert/bert-base-uncased", folder / "tiny")
    write_published(folder / "published")
    (folder / "swapped").mkdir()
    short = f"a1\tAskDocs\tlegal-advice\t{marked(0, short=True)}\n"
    (folder / "swapped" / "bootstrap_labeled.tsv").write_text(f"id\tsubreddit\ttitle\tcategory\n{short}")


def write_votes(folder: Path) -> None:
    """Votes that were given elsewhere: as they should be, and with a post in each column; and a list of roles."""
    votes = [
        {"item": f"pool-{i}", "annotator": "cat", "label": NAMES[i], "seconds": "1", "batch": ""} for i in range(3)
    ]
    write_csv(folder / "votes.csv", votes)
    for column in votes[0]:
        write_csv(folder / f"votes-{column}.csv", [votes[0] | {column: marked(0, short=True)}])
    write_csv(folder / "votes-head.csv", [{marked(0, short=True): "x"}])
    (folder / "roles.yaml").write_text("owners: [alice]\nannotators: [ann, bob]\n")


def write_published(folder: Path) -> None:
    """A published set in little: of each strategy a hundred originals with five variations each."""
    folder.mkdir()
    for name in ("bootstrap", "dev", "test"):
        lines = [f"{i}\tlegaladvice\t{marked(i)}\tlegal-advice" for i in range(3)]
        (folder / f"{name}_labeled.tsv").write_text("\n".join(["id\tsubreddit\ttitle\tcategory", *lines]) + "\n")
    for name in ("random", "topn", "coreset", "cluster"):
        lines = [f"{i}\t{k} {marked(i % 50)}\tlegal{i}\tdiscard" for i in range(100) for k in range(5)]
        lines += [f"{i}\t{marked(i % 50)}\tlegal{i}\tlegal-advice" for i in range(100)]
        (folder / f"{name}-all.tsv").write_text("\n".join(["id\ttext\tsubreddit\tcategory", *lines]) + "\n")


LOAD_DATA = """
import sys
from rarecase.demo_space.data import load_data
from rarecase.core.errors import DataError

try:
    load_data(sys.argv[1])
except DataError as error:
    print(error)
"""
LEAKY = """
import logging

def strategy(pool, n, *, labeled=None, seed=0):
    logging.getLogger(__name__).debug("the first is %r", pool["text"][0])
    raise KeyError(pool["text"][1])
"""


def forms(word: str) -> dict[str, bytes]:
    """How a word may be written; JSON, HTML, YAML and addresses leave letters as they are."""
    raw = word.encode()
    alone = {"plain": raw, "upper": raw.upper(), "title": raw.title(), "hex": raw.hex().encode()}
    wide = {name: word.encode(name).rstrip(b"\0") for name in ("utf-16-le", "utf-32-le")}
    base = {
        # The characters that this word alone decides, wherever it stands in what was encoded.
        f"base64-{before}": base64.b64encode(bytes(before) + raw + bytes(2))[
            -(-8 * before // 6) : 8 * (before + len(raw)) // 6
        ]
        for before in range(3)
    }
    return {**alone, **wide, **base}


NEEDLES = {f"{word} ({form})": needle for word in (MARK, SECRET) for form, needle in forms(word).items()}


def traces(data: bytes) -> list[str]:
    """Every form in which a marker is there, with what stands around the first one."""
    places = {form: data.find(needle) for form, needle in NEEDLES.items()}
    return [f"{form}: {data[max(0, at - 60) : at + 60]!r}" for form, at in places.items() if at >= 0]


def readable(path: Path, name: str) -> bytes:
    """What a file says: its bytes; of Parquet, which is packed, the rows."""
    if not name.endswith(".parquet"):
        return path.read_bytes()
    table = pq.read_table(path)
    return json.dumps([table.to_pylist(), str(table.schema)], default=str).encode()


def left_in(folder: Path, aside: Iterable[str]) -> list[str]:
    """
    The traces in the files of a folder, hidden ones too, and in their names.

    Args:
        folder (`Path`): where to search.
        aside (`Iterable[str]`): patterns of the paths, relative to the folder, that may hold texts; `*` is any part.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        found += [f"{name}: {trace}" for trace in traces(name.encode())]
        if path.is_file() and not path.is_symlink() and not any(fnmatch.fnmatch(name, pattern) for pattern in aside):
            found += [f"{name}: {trace}" for trace in traces(path.read_bytes())]
    return found


def told(hub: Hub) -> list[str]:
    """
    The traces in all that a Hub was told: requests, names, messages, and files but for the rows of data sets and those
    of a label store.
    """
    said = {"log": json.dumps(hub.log()).encode()}
    for (kind, repo_id), repo in hub.app.state.repos.items():
        plain = {"refs": repo.refs, "discussions": repo.discussions, "variables": repo.variables}
        said |= {f"{kind} {repo_id}, {name}": str(value).encode() for name, value in plain.items()}
        for commit in repo.commits.values():
            at = f"{kind} {repo_id}@{commit.oid[:8]}"
            said[at] = "\n".join([commit.title, commit.description, *commit.tree]).encode()
            for path, file in commit.tree.items():
                if kind != "dataset" or not re.fullmatch(r".*\.parquet|(queue|events)/[^/]+\.jsonl", path):
                    said[f"{at}/{path}"] = readable(hub.app.state.blob(file.sha256), path)
    return [f"{what}: {trace}" for what, data in said.items() for trace in traces(data)]


class Unkind(Server):
    """
    An endpoint whose errors repeat the post they were sent, and whose replies have markers of their own.

    Args:
        kind (`str`): what it answers: `error` and a status, `html`, `cut` (half a JSON), `list` (in place of a text),
            `filters` (the first request, and replies to the others), `judge` (a letter), else replies.
        delay (`float`): seconds before each reply.

    Attributes:
        bodies (`list[str]`): the requests.
    """

    def __init__(self, kind: str, delay: float = 0.0):
        super().__init__(fault=kind, delay=delay)
        self.bodies: list[str] = []
        self.app.fail = self.fail

    def fail(self, request: Request, body: dict[str, Any]) -> Response:
        self.bodies.append(json.dumps(body))
        kind, reply = self.app.behaviour.fault, marked(REPLIES[len(self.bodies) % len(REPLIES)])
        said = f"{reply} {self.bodies[-1]}"
        if kind == "html":
            return HTMLResponse(f"<html><p>{said}</p></html>")
        if kind == "cut":
            return Response(bytes(completion(body, said).body)[:-20], media_type="application/json")
        if kind == "list":
            return JSONResponse({"choices": [{"message": {"content": [said]}}]})
        if kind == "filters" and len(self.bodies) == 1:
            return JSONResponse({"error": {"message": said, "code": "content_filter"}}, 400)
        if kind.startswith("error"):
            error = dict.fromkeys(("message", "type", "param", "code"), said)
            return JSONResponse({"error": error}, int(kind[-3:]), {"Retry-After": "0"})
        return completion(body, "B" if kind == "judge" else reply)


def debugging(root: Path) -> Iterator[tuple[str, str]]:
    """The variables by which every library says all it can, and keeps all it writes below a folder."""
    places = {name: root / name.lower() for name in ("HOME", "TMPDIR", "HF_HOME", "MPLCONFIGDIR", "PYTHONPATH")}
    for name, place in places.items():
        place.mkdir()
        yield name, str(place)
    if inherited := os.environ.get("PYTHONPATH"):  # where the checkout is, if it is not installed
        yield "PYTHONPATH", os.pathsep.join([str(places["PYTHONPATH"]), inherited])
    (places["PYTHONPATH"] / "sitecustomize.py").write_text(
        "import logging\nlogging.basicConfig(level=logging.DEBUG)\n"
    )
    for name in ("HF_HUB_VERBOSITY", "TRANSFORMERS_VERBOSITY", "DATASETS_VERBOSITY", "OPENAI_LOG"):
        yield name, "debug"
    # Of a thing left open, collected within an import, Python 3.11 can trip over the warning (python/cpython#106176).
    yield "PYTHONWARNINGS", "default,ignore::ResourceWarning"
    yield from {"HF_DEBUG": "1", "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}.items()
