"""What is mutated: small files and folders as users, the package and others write them, one folder for each kind."""

import atexit
import contextlib
import csv
import functools
import gzip
import io
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import tiny_models
import torch
import zstandard
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Pooling, Transformer

from fuzz.blocks import NOBODY
from rarecase.cli.main import command
from rarecase.data.taxonomy import Category, Taxonomy
from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.service import LabelService, Row
from rarecase.labeling.store.sync import EventFiles
from rarecase.llm.replies import Replies, Request

torch.set_num_threads(1)  # a process that is forked from one with a pool of threads would wait for them for ever

NAMES = ("storm", "letter", "other")
WORDS = [a + b for a in ("rain", "lamp", "roof", "pen", "door", "table") for b in ("y", "post", "side", "light", "er")]
REQUEST: Request = {"model": "m", "messages": [], "temperature": 0.0, "seed": 0, "max_tokens": 1}
SIZES = {"pool": 18, "bootstrap": 9, "dev": 6, "test": 9}
ROLES = "owners: [olga]\nadjudicators: [eve]\nannotators: [ann, bob]\n"
ABOUT = "language: en\ncontact: a@example.org\nsource_terms: none\n"


@functools.cache
def folder() -> Path:
    """All of it, made once for this process and those it forks."""
    root = Path(tempfile.mkdtemp(prefix="fuzz-good-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        _write(root)
    return root


def posts(name: str) -> list[dict[str, str]]:
    """The rows of a set; every text has the words that no message shows."""
    begin = list(SIZES).index(name) * 100
    rng = np.random.default_rng(begin)
    return [
        {
            "id": f"{name}-{i}",
            "text": f'{NOBODY}: "{" ".join(rng.choice(WORDS, 12))}", {begin + i}',
            "label": NAMES[i % 3],
            "source": f"r/{WORDS[i % 2]}",
        }
        for i in range(SIZES[name])
    ]


def _write(root: Path) -> None:
    (root / "tables").mkdir()
    for name in SIZES:
        _table(root / "tables", name)
    (root / "yaml").mkdir()
    classes = Taxonomy(tuple(Category(name, f"It is about a {name}.", ("one", "two"), "us") for name in NAMES))
    classes.save(root / "yaml" / "taxonomy.yaml")
    (root / "yaml" / "roles.yaml").write_text(ROLES)
    (root / "yaml" / "about.yaml").write_text(ABOUT)
    (root / "yaml" / "labeling.json").write_text('{"store": "hf://datasets/a/b", "votes": 1, "lease": 60}')
    (root / "yaml" / "demo.json").write_text('{"dataset": "a/b@main", "model": "a/c"}')
    _models(root)
    _folders(root)
    _stores(root)
    _published(root / "published")


def _table(where: Path, name: str) -> None:
    rows = posts(name)
    text, semicolons = io.StringIO(), io.StringIO()
    for sheet, delimiter in ((text, ","), (semicolons, ";")):
        writer = csv.DictWriter(sheet, rows[0].keys(), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    dump = "".join(json.dumps({"id": r["id"], "title": r["text"], "subreddit": "a"}) + "\n" for r in rows).encode()
    tabs = "\n".join("\t".join(row) for row in [rows[0].keys(), *(row.values() for row in rows)]) + "\n"
    contents = {
        f"{name}.csv": text.getvalue().encode(),
        f"{name}.tsv": tabs.encode(),
        f"{name}.csv.zst": zstandard.compress(semicolons.getvalue().encode("utf-16")),
        f"{name}.jsonl": lines,
        f"{name}.json": json.dumps(rows).encode(),
        f"{name}.csv.gz": gzip.compress(text.getvalue().encode(), mtime=0),
        f"{name}.jsonl.zst": zstandard.compress(lines),
        f"RS_{name}.zst": zstandard.compress(dump),
        f"RS_{name}.jsonl": dump,
    }
    for file, content in contents.items():
        (where / file).write_bytes(content)


def _models(root: Path) -> None:
    """A tiny classifier, a tiny encoder, and a fitted learner of each."""
    body = tiny_models.made()["google-bert/bert-base-cased"]
    encoder = SentenceTransformer(modules=[Transformer(str(body)), Pooling(32)], device="cpu")
    encoder.save(str(root / "encoder"), create_model_card=False)
    shutil.copytree(body, root / "body")


def _folders(root: Path) -> None:
    tables, encoder = root / "tables", root / "encoder"
    sets = [part for name in SIZES for part in (f"--{name}", str(tables / f"{name}.csv"))]
    taxonomy = ["--taxonomy", str(root / "yaml" / "taxonomy.yaml")]
    loop = ["--model", str(encoder), "--encoder", str(encoder), "--budget", "4", "--batch", "2", "--clusters", "2"]
    cheap = ["--generator", "cheap", "--variations", "1", "--strategy", "cluster"]

    def ran(*words: object) -> None:
        with contextlib.redirect_stderr(io.StringIO()) as said:
            assert command([*map(str, words)]) == 0, f"{words}: {said.getvalue()}"

    ran("run", *sets, *taxonomy, *loop, *cheap, "--annotator", "gold", "--out", root / "run")
    shutil.copyfile(root / "run" / "config.yaml", root / "yaml" / "settings.yaml")
    ran("run", *sets, *taxonomy, *loop, *cheap, "--annotator", "file", "--out", root / "waiting")
    ran("simulate", *sets, *taxonomy, *loop, "--strategies", "random,entropy", "--seeds", 2, "--out", root / "grid")
    drawn = ["--bootstrap", 3, "--dev", 3, "--test", 3]
    ran("start", "--pool", tables / "pool.csv", *taxonomy, *drawn, "--annotator", "file", "--out", root / "start")
    shutil.copytree(root / "run" / "data", root / "release")
    data = ["--data", root / "release", "--models", encoder, "--learner", "frozen"]
    ran("experiment", *data, "--settings", "bootstrap,human", "--out", root / "experiment")
    config = ["--config-name", "cluster", "--seed", 0]
    ran("train", root / "release", "--learner", "frozen", "--model", encoder, *config, "--out", root / "frozen")
    ran(
        *("train", root / "release", "--learner", "finetune", "--model", root / "body", "--updates", 1),
        *(*config, "--out", root / "finetune"),
    )


def _stores(root: Path) -> None:
    """A label store as a file, its events as others would read them, a table of votes, and a store of replies."""
    (root / "store").mkdir()
    clock = iter(range(10**6))
    service = LabelService(EventLog(str(root / "store" / "labels.sqlite"), clock=lambda: 1e9 + next(clock)))
    service.add("b1", NAMES, [Row(row["id"], row["text"]) for row in posts("pool")[:6]])
    for person in ("ann", "bob"):
        service.bind(person, person)
        for label in NAMES:
            item = service.queue(person).queue[0]["item"]
            service.vote(person, item, label, seconds=1.5, event=f"{person}-{item}")
    (root / "events").mkdir()
    for path, content in EventFiles(service).to_upload().items():
        (root / "events" / f"{path.partition('/')[0]}.jsonl").write_bytes(content)
    service.log.close()
    (root / "votes").mkdir()
    votes = "".join(f"{row['id']},carl,storm,2.5\n" for row in posts("pool")[3:6])
    (root / "votes" / "votes.csv").write_text("item,annotator,label,seconds\n" + votes)
    (root / "replies").mkdir()
    replies = Replies(root / "replies" / "replies.sqlite")
    replies.put(REQUEST, "http://127.0.0.1:9/v1", '{"choices": [{"message": {"content": "Again."}}]}')
    replies.close()


def _published(where: Path) -> None:
    """The seven files as they stand beside the paper, with other texts."""
    where.mkdir()
    names = Taxonomy.default().names
    for name in ("bootstrap", "dev", "test"):
        rows = [f"{i}\tr/a\t{name} {i} {NOBODY}\t{names[i % 6]}" for i in range(12)]
        (where / f"{name}_labeled.tsv").write_text("\n".join(["id\tsource\ttext\tcategory", *rows]) + "\n")
    for name in ("random", "topn", "coreset", "cluster"):
        varied = [f"{i // 5}\t{name} {i} again {NOBODY}\tr/{i // 5}\t{names[i // 5 % 6]}" for i in range(500)]
        rows = [f"{i}\t{name} {i} {NOBODY}\tr/{i}\t{names[i % 6]}" for i in range(100)]
        (where / f"{name}-all.tsv").write_text("\n".join(["id\ttext\tsource\tcategory", *varied, *rows]) + "\n")
