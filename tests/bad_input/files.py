"""
Good tables, and every kind of broken one, for the tests of what the command line answers. Every post holds `SECRET`,
a word that nothing the program prints may hold.
"""

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
import zstandard
from safetensors.numpy import save_file

from rarecase.models.checkpoint import local_folder

SECRET = "zyxomma"
LABELS = ("self-harm", "medical-advice", "legal-advice", "not-harmful")
WORDS = [
    "apple",
    "bicycle",
    "candle",
    "dolphin",
    "engine",
    "flower",
    "garden",
    "hammer",
    "island",
    "jacket",
    "kettle",
    "lantern",
    "mirror",
    "needle",
]
ROWS = {"pool": 40, "start": 12, "dev": 12, "test": 12}

Row = tuple[str, str, str]


def tables() -> dict[str, list[Row]]:
    """Rows of `id`, `text` and `label` for each set, no two texts near each other."""
    draws = np.random.default_rng(0)
    return {
        name: [
            (f"{name}-{i}", f"{SECRET} {' '.join(draws.permutation(WORDS)[:4])}", LABELS[i % 4]) for i in range(rows)
        ]
        for name, rows in ROWS.items()
    }


def csv_of(rows: list[Row], header: str = "id,text,label") -> str:
    """A table as CSV; no text holds a comma."""
    return "".join(f"{','.join(row)}\n" for row in [tuple(header.split(",")), *rows])


def write_inputs(folder: Path) -> None:
    """Writes all of them."""
    good = tables()
    for name, rows in good.items():
        (folder / f"{name}.csv").write_text(csv_of(rows))
    write_broken_tables(folder, good)
    write_broken_encodings(folder, csv_of(good["pool"]).encode(), good)
    write_settings(folder)
    write_models(folder)
    write_published(folder)
    (folder / "divides.py").write_text("def divide(pool, n, *, labeled=None, seed=0):\n    return n / 0\n")
    (folder / "breaks.py").write_text("number = 1 / 0\n")


def write_broken_tables(folder: Path, good: dict[str, list[Row]]) -> None:
    """Tables whose columns, labels, ids or rows are wrong."""
    pool, dev = good["pool"], good["dev"]
    id_, text, label = dev[4]
    broken = {
        "misspelt": csv_of(dev, "id,txt,label"),
        "misspelt-label": csv_of(dev, "id,text,lable"),
        "no-header": csv_of(dev[1:], ",".join(dev[0])),
        "odd-label": csv_of([*dev[:4], (id_, text, "self harm"), *dev[5:]]),
        "odd-gold": csv_of([*pool[:4], (pool[4][0], pool[4][1], "legal-advise"), *pool[5:]]),
        "empty-text": csv_of([*dev[:4], (id_, "", label), *dev[5:]]),
        "white-text": csv_of([*dev[:4], (id_, " \t ", label), *dev[5:]]),
        "no-label": csv_of([*dev[:4], (id_, text, ""), *dev[5:]]),
        "same-ids": csv_of([*dev[:4], (dev[1][0], text, label), *dev[5:]]),
        "other-ids": csv_of([(pool[0][0], dev[0][1], dev[0][2]), *dev[1:]]),
        "long-text": csv_of([*pool[:4], ("long", SECRET * 150_000, label), *pool[4:]]),
        "fields": csv_of(pool) + f"{pool[0][0]},{SECRET}, with a comma,{label}\n",
        "quote": csv_of(pool) + f'x,"{SECRET} without an end,{label}\n',
        "five": csv_of(pool[:5]),
        "unlabelled": csv_of([(i, t, "") for i, t, _ in pool]),
        "posts-only": "text\n" + "".join(f"{t}\n" for _, t, _ in pool),
        "harmless": csv_of([(i, t, LABELS[n % 3]) for n, (i, t, _) in enumerate(good["start"])]),
        "header-only": "id,text,label\n",
        "empty": "",
    }
    for name, content in broken.items():
        (folder / f"{name}.csv").write_text(content)
    (folder / "posts.xlsx").write_text("no spreadsheet")
    (folder / "list.jsonl").write_text(json.dumps([SECRET]) + "\n")
    (folder / "long-text.jsonl").write_text(
        json.dumps({"text": SECRET}) + "\n" + json.dumps({"text": SECRET * 150_000})
    )
    (folder / "cut.jsonl").write_text(json.dumps({"text": SECRET})[:-3] + "\n")
    (folder / "nothing").mkdir()


def write_broken_encodings(folder: Path, plain: bytes, good: dict[str, list[Row]]) -> None:
    """Files that are no text in UTF-8, or end too early; and a pool that brings embeddings with a NaN."""
    latin = plain.replace(b"apple", "Äpfel".encode("latin-1"))
    (folder / "latin.csv").write_bytes(latin)
    (folder / "nul.csv").write_bytes(plain.replace(b"apple", b"ap\0le", 1))
    (folder / "cut.csv.gz").write_bytes(gzip.compress(plain, mtime=0)[:-20])
    (folder / "cut.csv.zst").write_bytes(zstandard.compress(plain)[:-20])
    (folder / "other.csv.gz").write_bytes(plain)
    columns = [list(column) for column in zip(*good["pool"], strict=True)]
    vectors = np.full((len(columns[0]), 8), 0.5, np.float32)
    vectors[3, 1] = np.nan
    table = pa.table({"id": columns[0], "text": columns[1], "label": columns[2], "embedding": list(vectors)})
    pq.write_table(table, folder / "nan.parquet")
    (folder / "cut.parquet").write_bytes((folder / "nan.parquet").read_bytes()[:-40])


def write_settings(folder: Path) -> None:
    """Settings and taxonomies, right and wrong."""
    settings = {
        "key": "strateggy: random",
        "list": "- budget",
        "syntax": "budget: [",
        "word": "budget: lots",
        "choice": "learner: frosen",
        "nested": "budget: {a: 1}",
        "zero": "batch: 0",
        "none": "budget: null",
    }
    for name, content in settings.items():
        (folder / f"{name}.yaml").write_text(content + "\n")
    classes = [{"name": name} for name in LABELS]
    taxonomies = {
        "classes": classes,
        "more-classes": [*classes, {"name": "other"}],
        "few-classes": classes[1:],
        "class-key": [{**classes[0], "definitoin": "x"}, *classes[1:]],
    }
    for name, content in taxonomies.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({"classes": content}))


def write_models(folder: Path) -> None:
    """Model folders that cannot be used: a small BERT, with the tokenizer of the packaged encoder."""
    packaged = local_folder("packaged")
    config = json.loads((packaged / "config.json").read_text())
    size = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}
    weights = {"embeddings.word_embeddings.weight": np.full((config["vocab_size"], 16), np.nan, np.float32)}
    for name in ("weightless", "pickled", "own-code", "nan", "cut"):
        model = folder / f"model-{name}"
        model.mkdir()
        for file in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
            if (packaged / file).exists():
                shutil.copy(packaged / file, model)
        (model / "config.json").write_text(json.dumps({**config, **size}))
    (folder / "model-pickled" / "pytorch_model.bin").write_bytes(b"\x80\x04}.")
    (folder / "model-own-code" / "config.json").write_text(
        json.dumps({**config, **size, "auto_map": {"AutoModel": "modeling.Own"}})
    )
    for name in ("own-code", "nan", "cut"):
        save_file(weights, folder / f"model-{name}" / "model.safetensors")
    whole = (folder / "model-nan" / "model.safetensors").read_bytes()
    (folder / "model-cut" / "model.safetensors").write_bytes(whole[:-1000])


def write_published(folder: Path) -> None:
    """Folders that are nearly the published set."""
    header, row = "id\tsubreddit\ttitle\tcategory\n", f"a1\tAskDocs\t{SECRET} apple\tmedical-advice\n"
    swapped = f"a1\tAskDocs\tmedical-advice\t{SECRET} apple candle dolphin engine flower garden\n"
    contents = {
        "missing": header + row,
        "category": header + row.replace("medical-advice", "medical"),
        "columns": header + row + "a2\tAskDocs\n",
        "swapped": header + swapped,
    }
    for name, content in contents.items():
        place = folder / f"published-{name}"
        place.mkdir()
        (place / "bootstrap_labeled.tsv").write_text(content)
