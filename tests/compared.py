"""Whether two folders hold the same files: each is identical, expected to differ, reworded, or different."""

import contextlib
import difflib
import json
import re
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

from PIL import Image

# What may differ: in the texts of which files, a pattern, and why.
EXPECTED = [
    ("", r"127\.0\.0\.1:\d+", "the port of the test Hub or of the endpoint"),
    ("", r"\b[0-9a-f]{40}\b|(?<= at )[0-9a-f]{8}\b", "ids of commits, which the test Hub draws"),
    ("", r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d:[\d.]+(Z|\+00:00)?)?", "the day or the time of day"),
    (
        ".stdout",
        r'\n *"(rarecase/[^"]*|app\.py)"(: \d+)?,?(?=\n)',
        "rarecase's own modules in a Space, and their sizes",
    ),
    (".stdout", r"\n *[\d,]+  (rarecase/.*|app\.py)|(?<=^space ).*\d+ files|(?<=\nspace ).*\d+ files", "likewise"),
    ("/app.py", r'(?<=from )rarecase\.\S+|^""".*\n(.*\n)*?.*"""\n', "likewise, and what is said of it"),
    ("", r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "ids of events, which are drawn"),
    (".jsonl", r'(?<="at": )[\d.]+', "the time of day"),
    (".stdout", r'[\d,]+(?=  queue/)|(?<=\.jsonl": )\d+', "the size of a file with the time of day in it"),
    (".stdout", r"about \d+ s(?= of computing)", "how fast this machine is"),
    ("", r'/[^\s"]*(?=/src/rarecase/sample)', "where the checkout is"),
    (".stderr", r"[^\n]*(\d%\||examples/s)[^\n]*|\b[\d.]+ ?(s|ms|seconds|minutes)\b", "how long it took"),
]
MODULES = "/rarecase/"  # in a Space; they are what is redesigned
DRAWN = ("id", "at", "created", "timings")  # of events and of a language model's replies: ids are drawn, and the clock


def text_of(path: Path) -> str:
    """The text of a file, without what may differ; of what a command said also without empty lines."""
    text = path.read_bytes().decode()
    if path.parent.name == "_said":
        text = text.replace("\r", "\n")
    for ending, pattern, _ in EXPECTED:
        if str(path).endswith(ending):
            text = re.sub(pattern, "", text)
    return re.sub(r"\n\s*\n", "\n", text).strip() if path.parent.name == "_said" else text


def tables_of(path: Path) -> dict[str, list[str]]:
    """The rows of a database, without its clocks; JSON in them without the order of its keys."""
    with opened(path) as database:
        database.row_factory = sqlite3.Row
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = {name: [dict(row) for row in database.execute(f"SELECT * FROM {name}")] for name in names}
    return {name: sorted(map(shown, rows)) for name, rows in tables.items()}


def shown(row: dict[str, Any]) -> str:
    """A row of a database as text."""
    values = {
        key: json.loads(value) if is_json(str(value)) else value for key, value in row.items() if key not in DRAWN
    }
    kept = {k: {n: v[n] for n in v if n not in DRAWN} if isinstance(v, dict) else v for k, v in values.items()}
    return re.sub(EXPECTED[0][1], "", json.dumps(kept, sort_keys=True))


def without_notes(report: str) -> str:
    return re.sub(r'(?<="notes": )\[\n.*?\n  \]', "", report, flags=re.DOTALL)


def is_json(text: str) -> bool:
    with contextlib.suppress(ValueError):
        return isinstance(json.loads(text), dict | list)
    return False


def compared(old: Path, new: Path) -> tuple[str, str]:
    """`identical`, `expected`, `reworded` or `different`, and the lines that differ."""
    if not (old.exists() and new.exists()):
        return "expected" if MODULES in str(old) else "different", f"only in {old if old.exists() else new}"
    if old.read_bytes() == new.read_bytes():
        return "identical", ""
    if MODULES in str(old):
        return "expected", ""
    if old.suffix == ".png":
        pixels = [Image.open(path).convert("RGBA") for path in (old, new)]
        return ("expected" if pixels[0] == pixels[1] else "different"), "pixels"
    if old.suffix == ".sqlite":
        return ("expected" if tables_of(old) == tables_of(new) else "different"), "rows"
    try:
        texts = [text_of(path) for path in (old, new)]
    except UnicodeDecodeError:
        return "different", f"{old.stat().st_size} and {new.stat().st_size} bytes"
    if texts[0] == texts[1]:
        return "expected", ""
    lines = difflib.unified_diff(*(text.splitlines() for text in texts), lineterm="", n=0)
    found = "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))
    if any(map(is_json, texts)):
        words = without_notes(texts[0]) == without_notes(texts[1])
    else:
        words = old.suffix in (".stdout", ".stderr") or old.name == "report.md"  # whose figures are in tables/
    return ("reworded" if words else "different"), found


def show(out: Path, names: list[str]) -> bool:
    """Prints the table and what differs; whether anything does that must not."""
    table: dict[str, Counter[str]] = {}
    words: dict[str, list[str]] = {}
    wrong = []
    for job in names:
        sides = [out / name / job for name in ("base", "new")]
        paths = sorted({path.relative_to(side) for side in sides for path in side.rglob("*") if path.is_file()})
        table[job] = Counter()
        for path in paths:
            kind, found = compared(sides[0] / path, sides[1] / path)
            table[job][kind] += 1
            if kind == "reworded":
                words.setdefault(found, []).append(f"{job}/{path.name}")
            elif kind == "different":
                wrong.append(f"{job}/{path}\n{found[:3000]}")
    print("Reworded:", *(f"\n{place[0]} ({len(place)} ×)\n{found}" for found, place in words.items()), sep="\n")
    print("\nDifferent:", *(f"\n{found}" for found in wrong), sep="\n")
    kinds = ("identical", "expected", "reworded", "different")
    print(f"\n{'job':<12}{'files':>10}", *(f"{kind:>10}" for kind in kinds))
    for job, found in table.items():
        print(f"{job:<12}{found.total():>10}", *(f"{found[kind]:>10}" for kind in kinds))
    return bool(wrong)


def opened(path: Path) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True))
