"""`rarecase guard …`: thin, and a part of `rarecase.cli.main`; nothing heavy is imported before a command runs."""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from rarecase.cli.formats import Format
from rarecase.core.errors import ConfigError, command_line, one_line, shown_id
from rarecase.core.installed import needs

if TYPE_CHECKING:
    from rarecase.guard.certify import Prepared
    from rarecase.guard.heldout import Reading

app = App(name="guard", help="A trained model as a guard: thresholds with a lower limit of the recall.")

NEW_SET = (
    "All numbers are for a new set, on which alone you calibrate (--heldout NEW): rows whose scores steered the size "
    "of a sample must not be a part of it."
)


@dataclass(frozen=True, kw_only=True)
class Request:
    """
    What is asked of a guard, and on which rows.

    Args:
        held_out: rows drawn at random and labelled by people: a start folder, a file, a folder or a data set of the
            Hub, `PATH_OR_HUB_ID[:CONFIG[/SPLIT]]`; once for each set of rows.
        recall: `CLASS=RECALL`, such as `self-harm=0.90`; several by commas, or once for each. By default 0.9 of every
            class whose action is not allow.
        confidence: of all such calibrations, the share in which no class has a recall below the one that is stated.
        max_alarm: the largest share of the texts not of a class that may be flagged as it.
        encoding: of text files.
        id_column: by default `id`; without one, ids come from a hash of the text.
        text_column: by default `text`.
        label_column: by default `label`.
        format: `json` for programs.
    """

    held_out: Annotated[list[str], Parameter(name="--heldout")]
    recall: list[str] | None = None
    confidence: float = 0.95
    max_alarm: float = 0.2
    encoding: str = "utf-8"
    id_column: str | None = None
    text_column: str | None = None
    label_column: str | None = None
    format: Format = "text"

    def prepare(self, model: str, dev: str | None = None) -> "Prepared":
        """The guard, and its scores of the rows."""
        from rarecase.guard import certify
        from rarecase.guard.calibrate import Asked
        from rarecase.runs.folder import model_folder

        asked = Asked(_targets(self.recall or []), self.confidence, self.max_alarm)
        folder = model_folder(Path(model))  # of a run that of its last learner
        return certify.prepare(folder, self.held_out, asked, dev, self.reading)

    @property
    def reading(self) -> "Reading":
        """How tables are read."""
        from rarecase.data.read import Columns
        from rarecase.guard.heldout import Reading

        columns = Columns(id=self.id_column, text=self.text_column, label=self.label_column)
        return Reading(columns, self.encoding)


RequestFlags = Annotated[Request, Parameter(name="*")]


@app.command
def check(
    model: str,
    data: str,
    /,
    *,
    out: Path | None = None,
    taxonomy: Path | None = None,
    require_certificate: bool = False,
    dtype: Literal["fp32", "bf16"] = "fp32",
    backend: Literal["torch", "onnx"] = "torch",
    encoding: str = "utf-8",
    id_column: str | None = None,
    text_column: str | None = None,
) -> None:
    """
    Judge every row of a table: a line of JSON for each, without its text.

    Args:
        model: a model folder, a run (its last learner) or a Hub id, of any learner or text classifier.
        data: a file, a folder or a data set of the Hub.
        out: a new file for the lines, instead of stdout.
        taxonomy: a YAML file with the action of each class, in the order of the model; by default as in training.
        require_certificate: refuse a model without a certificate that is of this very model and certifies at least
            one class.
        dtype: `bf16` is fast where the processor has it.
        backend: `onnx` is onnxruntime, on the processor and in fp32; pip install 'rarecase[onnx]'.
        encoding: of text files.
        id_column: by default `id`; without such a column, ids come from a hash of the text.
        text_column: by default `text`.
    """
    from rarecase.data.read import Columns
    from rarecase.runs.check import check as write

    columns = Columns(id=id_column, text=text_column)
    write(
        model,
        data,
        out,
        columns=columns,
        encoding=encoding,
        taxonomy=taxonomy,
        require_certificate=require_certificate,
        dtype=dtype,
        backend=backend,
    )


@app.command
def calibrate(model: str, /, request: RequestFlags, *, dev: str | None = None) -> None:
    """
    Set thresholds with a lower limit of the recall, and write them into the model's folder as certificate.json.

    Args:
        model: a model folder, or a run (its last learner).
        dev: other labelled rows, to set the temperature of the probabilities on; without them it is 1.
    """
    from rarecase.guard.certificate import CERTIFICATE
    from rarecase.guard.certify import certify
    from rarecase.guard.wording import explained

    prepared = request.prepare(model, dev)
    certificate = certify(prepared)
    print(json.dumps(asdict(certificate), indent=2) if request.format == "json" else "\n".join(explained(certificate)))
    print(one_line(f"written: {prepared.folder / CERTIFICATE}"), file=sys.stderr)
    if not any(part.path for part in prepared.parts):
        line = "the rows are on the Hub, so how often they were used is kept in this certificate alone"
        print(line, file=sys.stderr)


@app.command
def serve(
    model: str,
    /,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    dtype: Literal["fp32", "bf16"] = "fp32",
    backend: Literal["torch", "onnx"] = "torch",
    max_body: str = "1MiB",
    audit: Path | None = None,
    taxonomy: Path | None = None,
    require_certificate: bool = False,
) -> None:
    """
    Judge texts over HTTP, as OpenAI's moderation endpoint and others do, until it is stopped.

    Args:
        model: a model folder, a run (its last learner) or a Hub id, of any learner or text classifier.
        host: 127.0.0.1 is for this machine only. Beyond it the variable RARECASE_API_KEY has to hold a key, which
            requests bring as Bearer or x-api-key.
        port: of the server.
        dtype: `bf16` is faster where the processor has it.
        backend: `onnx` is onnxruntime, on the processor and in fp32; pip install 'rarecase[onnx]'.
        max_body: the largest request, such as 1MiB, 500KB or a number of bytes.
        audit: a file to which a line of JSON is added for each text: id, time, model and verdict, no text.
        taxonomy: a YAML file with the action of each class, in the order of the model; by default as in training.
        require_certificate: refuse a model without a certificate that is of this very model and certifies at least
            one class.
    """
    most = _bytes(max_body)
    with needs("serve", "guard serve"):
        from rarecase.serve.server import Serving
        from rarecase.serve.server import serve as serve_guard
    from rarecase.data.taxonomy import Taxonomy
    from rarecase.hub.ids import split_revision
    from rarecase.runs.check import load

    classes = None if taxonomy is None else Taxonomy.load(taxonomy)
    name = Path(model).resolve().name if Path(model).is_dir() else split_revision(model)[0]
    how = Serving(host, port, most, audit)
    serve_guard(lambda: load(model, classes, dtype, backend, require_certificate=require_certificate), name, how)


@app.command(name="plan")
def plan_more(model: str, /, request: RequestFlags, *, pool: str | None = None) -> None:
    """
    Say what can be certified today, and how many random texts a new set needs. Nothing is written.

    Args:
        model: a model folder, or a run (its last learner).
        pool: the posts to draw from, read as the rows are, or with the columns `id` and `text` where it lacks theirs;
            by default what the start folder of the rows has left.
    """
    from rarecase.guard.certify import how_many_more

    plan, draw = how_many_more(request.prepare(model), pool, request.reading)
    command = command_line(*draw.words) if draw and draw.words else None
    if request.format == "json":
        print(json.dumps({**asdict(plan), "pool": draw and draw.pool, "command": command}, indent=2))
    else:
        for name, of_class in plan.classes.items():
            print(f"{name}: {of_class.reason}")
        if plan.texts:
            print(NEW_SET)
    if draw is None:
        if plan.texts:
            print("--pool POOL says which command draws them", file=sys.stderr)
        return
    few = draw.texts < plan.texts
    drawn = f" (draws {draw.texts:,} of the {plan.texts:,} texts; find more posts for the rest)" if few else ""
    next_ = "the pool has no text to draw; find more posts" if command is None else f"next{drawn}: {command}"
    print(one_line(next_), file=sys.stderr)


def _bytes(size: str) -> int:
    """Of `1MiB`, `500KB` or a number; at most what is read of a document of JSON."""
    from rarecase.core.documents import LONGEST_JSON, MEBIBYTE

    found = re.fullmatch(r"(\d{1,12})\s*(|[KM]i?B?)", size.strip(), re.IGNORECASE)
    if not found or not (number := int(found[1])):
        raise ConfigError(f"--max-body{shown_id(size)}: expected a size such as 1MiB, 500KB or a number of bytes")
    unit = found[2].lower().rstrip("b")
    number *= {"": 1, "k": 1000, "ki": 1 << 10, "m": 1000_000, "mi": 1 << 20}[unit]
    if number > LONGEST_JSON:
        raise ConfigError(f"--max-body{shown_id(size)}: expected at most {LONGEST_JSON // MEBIBYTE}MiB")
    return number


def _targets(given: Sequence[str]) -> dict[str, float]:
    """The recall that is asked of each class: `self-harm=0.9,medical-advice=0.95`."""
    targets: dict[str, float] = {}
    for entry in (part for value in given for part in re.split(r"(?<=[\d.]),(?=[^,]+=)", value)):
        name, equals, number = entry.strip().rpartition("=")
        try:
            target = float(number)
        except ValueError:
            equals = ""
        if not equals or not name:
            raise ConfigError(f"--recall{shown_id(entry)}: expected CLASS=RECALL, such as self-harm=0.9")
        if name in targets:
            raise ConfigError(f"--recall: class{shown_id(name)} is named twice; leave one of them out")
        targets[name] = target
    return targets
