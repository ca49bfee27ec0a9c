"""`rarecase guard check`: what a guard says of every row of a table."""

import json
import sys
from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from datasets import Dataset

from rarecase.core.errors import ConfigError
from rarecase.core.files import require_new, write_beside
from rarecase.core.processes import is_distributed, is_main, on_main
from rarecase.core.progress import Progress, parts
from rarecase.data.read import Columns, read_argument
from rarecase.data.schema import public_id
from rarecase.data.taxonomy import Taxonomy
from rarecase.guard.guard import Guard
from rarecase.learn.backends import Backend
from rarecase.learn.hyperparameters import Precision
from rarecase.runs.predict import loadable

AT_ONCE = 2_000  # texts that are scored together


def check(
    model: str,
    data: str,
    out: Path | None,
    *,
    columns: Columns,
    encoding: str = "utf-8",
    taxonomy: Path | None = None,
    require_certificate: bool = False,
    dtype: Precision = "fp32",
    backend: Backend = "torch",
) -> None:
    """Writes a line of JSON for each row, to a new file or to stdout: the id and the verdict, no text."""
    if out is not None:
        on_main(require_new, out)
    classes = None if taxonomy is None else on_main(Taxonomy.load, taxonomy)
    on_main(loadable, model)  # else the data would be read in vain
    posts = on_main(partial(read_argument, data, "pool", columns=columns, encoding=encoding, keep_empty=True))
    guard = load(model, classes, dtype, backend, require_certificate=require_certificate)
    lines = lines_of(posts, guard)
    if not is_main():
        deque(lines, maxlen=0)  # which are the main process's to write
    elif out is None:
        for line in lines:
            print(line)
    else:
        with write_beside(out) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(line + "\n" for line in lines)


def load(
    model: str,
    taxonomy: Taxonomy | None,
    dtype: Precision = "fp32",
    backend: Backend = "torch",
    *,
    require_certificate: bool = False,
) -> Guard:
    """The guard of a model folder, a run or a Hub id; what is to be known of its thresholds is said on stderr."""
    folder = on_main(loadable, model)
    if backend == "onnx" and is_distributed():
        raise ConfigError("--backend onnx computes in one process; leave the launcher out")
    with Progress(1) as progress:
        progress.step(f"loading {model}")
        guard = Guard.from_pretrained(folder, taxonomy=taxonomy, dtype=dtype, backend=backend)
    if require_certificate:
        if guard.certificate is None:
            reason = guard.void or "`rarecase guard calibrate` makes one"
            raise ConfigError(f"--require-certificate: {model} has none that is of it ({reason})")
        if not guard.certificate.certified:
            raise ConfigError(f"--require-certificate: the certificate of {model} refuses every class; calibrate anew")
    if guard.void:
        print(f"warning: {model}: {guard.void}, so its thresholds are not used", file=sys.stderr)
    if guard.harmful.all():
        print(f"warning: {model} has no class whose action is allow; --taxonomy FILE says which", file=sys.stderr)
    return guard


def lines_of(posts: Dataset, guard: Guard) -> Iterator[str]:
    """The line of each row, in order."""
    [about] = guard.check([""])
    unread = about.to_json() | {"label": None, "action": "allow", "flagged": False, "windows": 0, "scores": None}
    for place in parts(len(posts), AT_ONCE):
        part = posts[place]
        verdicts = iter(guard.check([text for text in part["text"] if text.strip()]))
        for id_, text in zip(part["id"], part["text"], strict=True):
            said = next(verdicts).to_json() if text.strip() else unread
            yield json.dumps({"id": public_id(id_), **said}, ensure_ascii=False)
