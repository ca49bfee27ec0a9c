"""
The command line: thin. Each command reads its settings, calls one function, and prints.

Data goes to stdout, the rest to stderr. A mistake of the user's is one line and exit 2; waiting for people is exit 0;
an unexpected error keeps its traceback and exits with 1. Nothing heavy is imported before a command runs.
"""

import json
import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import UNSET, App, CycloptsError, Parameter
from cyclopts.config import Dict

from rarecase import __version__
from rarecase.cli.formats import Format, PageFormat
from rarecase.cli.generate import app as generate
from rarecase.cli.guard import app as guard
from rarecase.cli.label import app as label
from rarecase.cli.publish import app as publish
from rarecase.cli.stopped import NOTHING, what_is_left
from rarecase.cli.streams import discard_output, fail, open_closed_streams, quiet_libraries, terminal_width
from rarecase.cli.tables import export, import_published, pool, taxonomy
from rarecase.cli.together import end, together
from rarecase.cli.verify import verify
from rarecase.core.errors import (
    ConfigError,
    ProcessEndedError,
    RarecaseError,
    WaitingForLabels,
    command_line,
    one_line,
    shown_id,
)
from rarecase.core.files import refused_by_system
from rarecase.core.processes import alone, is_distributed, on_main
from rarecase.labeling.store.address import require_inside
from rarecase.settings.config import (
    SOURCES,
    ExperimentConfig,
    RunConfig,
    SimulateConfig,
    StartConfig,
    TrainConfig,
    read_config,
    read_yaml,
)

if TYPE_CHECKING:
    from cyclopts.argument import ArgumentCollection

Flat = Parameter(name="*")
STOPPED = 130  # the exit status after Ctrl-C

KINDS = {
    "run": RunConfig,
    "preview": RunConfig,
    "simulate": SimulateConfig,
    "start": StartConfig,
    "experiment": ExperimentConfig,
}


def limit_hub(*_: object) -> None:
    """Bounds how long the Hub is waited for; help and version do without what this imports."""
    try:
        from rarecase.hub.client import limit_waiting  # the library reads the environment when it is imported
    except ValueError as error:
        raise ConfigError(
            f"a variable HF_… of the environment has a value that huggingface_hub cannot read ({error}); unset it"
        ) from error
    limit_waiting()


def settings_files(app: App, commands: tuple[str, ...], arguments: "ArgumentCollection") -> None:
    """Takes settings without a flag from `--config FILE`, and else from the folder of `--resume`."""
    kind = KINDS.get(commands[-1]) if commands else None
    if kind is None:
        return
    given = {a.name: a.tokens[0].value for a in arguments if a.tokens and a.name in ("--config", "--resume", "--out")}
    files = {Path(given["--config"]): on_main(read_yaml, Path(given["--config"]), kind)} if "--config" in given else {}
    folder = None
    if "--resume" in given:
        from rarecase.runs.folder import Manifest

        folder = Path(given["--resume"])
        begun = on_main(Manifest.read, folder, commands[-1]).settings
        if Path(given.get("--out", folder)).resolve() != folder.resolve():
            raise ConfigError(f"--out {given['--out']} has no effect beside --resume {folder}; leave one of them out")
        files[folder / "config.yaml"] = on_main(read_config, folder, kind, begun)
    typed = {argument.name for argument in arguments if argument.tokens}
    for path, content in files.items():
        settings = {key.replace("_", "-"): value for key, value in content.items() if value is not None}
        if folder and path == folder / "config.yaml":  # a file that is named is the user's own
            named = {argument.name for argument in arguments if argument.tokens}
            settings = _of_folder(folder, settings, named, kind)
        strategy = str(settings.get("strategy"))
        if ":" in strategy and "--dry-run" in typed and "--strategy" not in typed:
            raise ConfigError(
                f"{path}: a dry run imports no code that only a file names; name{shown_id(strategy)} by --strategy"
            )
        # Under the command's name: at the root, a setting called like a command (`pool`) would be left out.
        for name in reversed(commands):
            settings = {name: settings}
        Dict(settings, source=str(path))(app, commands, arguments)


def _of_folder(folder: Path, settings: dict[str, Any], given: set[str], kind: type) -> dict[str, Any]:
    """What a folder settles by itself: no permission, nor what is compared with what it stores where named again."""
    if "--store" not in given:  # the folder may be somebody else's, and would read and write there
        require_inside(folder, settings.get("store"), settings.get("start"))
    if kind is StartConfig:
        return {key: value for key, value in settings.items() if key not in ("classes", "taxonomy")}
    if kind is not RunConfig:
        return settings
    strategy = str(settings.get("strategy"))
    if ":" in strategy and "--strategy" not in given:  # its code may be somebody else's too
        raise ConfigError(
            f"{folder}: its strategy{shown_id(strategy)} is code outside rarecase; name it by --strategy"
        )
    return {key: value for key, value in settings.items() if key not in (*SOURCES, "send-to", "report-to")}


def refuse_typing_errors(app: App, commands: tuple[str, ...], arguments: "ArgumentCollection") -> None:
    """Refuses an empty value, which would be the working folder, a fraction, which would be rounded, and a NUL."""
    for argument in arguments:
        for token in argument.tokens:
            if token.value == "" and token.implicit_value is UNSET:  # `--dry-run` has no value of its own
                raise ConfigError(f"{argument.name} is empty; give it a value, or leave it out")
            if argument.hint in (int, int | None) and "." in token.value:
                raise ConfigError(f"{argument.name} {token.value[:40]}: expected a whole number")
            if re.search("[\0\ud800-\udc7f]", token.value):
                raise ConfigError(f"{argument.name} {token.value[:40]!r}: has a NUL or half a character; correct it")


app = App(
    name="rarecase",
    help="Active learning for what is rare and critical in safety data: choose what people label, learn from it, "
    "measure, publish.",
    version=__version__,
    config=(limit_hub, settings_files, refuse_typing_errors),  # before every command
    suppress_keyboard_interrupt=False,  # ours says how to go on
    help_format="markdown",
    default_parameter=Parameter(negative_iterable=()),  # no `--empty-model`: a list that is left out is empty
)
app.command(generate)
app.command(guard)
app.command(label)
app.command(publish)
app.command(pool)
app.command(taxonomy)
app.command(export)
app.command(verify)
app.command(import_published, name="import-published")


@app.command
def demo(*, out: Path = Path("demo"), seed: int = 0) -> None:
    """
    Run all four strategies on the sample that ships with rarecase, with a real language model on this machine.

    Args:
        out: the folder to write; the same command again goes on with it.
        seed: decides everything that is drawn.
    """
    from rarecase.cli.demo import demo as run_demo

    run_demo(out, seed)


@app.command
def run(
    settings: Annotated[RunConfig, Flat] = RunConfig(),  # noqa: B008 - frozen
    *,
    config: Path | None = None,
    resume: Path | None = None,
    dry_run: bool = False,
) -> None:
    """
    Run the loop: choose, label, vary, learn, until the budget is spent.

    Args:
        config: a YAML file of settings; a flag wins over it.
        resume: go on with this run folder.
        dry_run: only say what the run would ask for: labels, requests, time.
    """
    from rarecase.data.release import ALL
    from rarecase.runs.dry_run import dry_run as estimate
    from rarecase.runs.session import carry_out

    if dry_run and resume:
        raise ConfigError("--dry-run says what a run would ask for before it begins; leave --resume out")
    if dry_run:
        print(estimate(settings))
        return
    folder = carry_out(settings, resume)
    on_main(report, folder)
    shown = command_line("train", folder / "data", "--config-name", ALL, "--out", "guard")
    loaded = f"load_dataset({str(folder / 'data')!r}, {ALL!r}, split='train')"
    print(one_line(f"everything that is labelled, in Python: {loaded}"), file=sys.stderr)
    print(one_line(f"next: {shown}"), file=sys.stderr)


@app.command
def start(
    settings: Annotated[StartConfig, Flat] = StartConfig(),  # noqa: B008 - frozen
    *,
    config: Path | None = None,
    resume: Path | None = None,
) -> None:
    """
    Draw random start, dev, test and certification sets out of a pool, and have them labelled.

    Args:
        config: a YAML file of settings; a flag wins over it.
        resume: go on with this folder, once people have labelled.
    """
    from rarecase.runs.start import next_step
    from rarecase.runs.start import start as draw

    folder, counted = draw(settings, resume)
    print("\n".join(f"{name:10}{rows:>8}" for name, rows in counted.items()))
    print(one_line(f"next: {next_step(folder, settings, counted)}"), file=sys.stderr)


@app.command
def train(data: str, /, settings: Annotated[TrainConfig, Flat], *, format: Format = "text") -> None:
    """
    Train a learner on a released set, outside the loop.

    Args:
        data: a release folder or a data set of the Hub.
        format: `json` for programs.
    """
    from rarecase.runs.train import train as fit

    measured = fit(data, settings)
    if format == "json":
        print(json.dumps(measured, indent=2))
        return
    test = measured["test"]
    print(
        f"trained on {measured['train']} texts; test: accuracy {test['accuracy']:.1f}, macro-F1 {test['macro_f1']:.1f}"
    )
    for (name, f1), row in zip(test["f1"].items(), test["confusion"], strict=True):
        print(f"  F1 {name:24}{f1:6.1f}  of {sum(row):,} texts")
    print(f"{settings.out} has the model, for `rarecase predict`; of finetune also for transformers", file=sys.stderr)


@app.command
def predict(
    model: str,
    data: str,
    /,
    *,
    out: Path,
    with_text: bool = False,
    max_length: int | None = None,
    encoding: str = "utf-8",
    id_column: str | None = None,
    text_column: str | None = None,
) -> None:
    """
    Classify every row of a table: its class, and the probability of each class.

    Args:
        model: a model folder, a run (its last learner) or a model of the Hub.
        data: a file, a folder or a data set of the Hub, `PATH_OR_HUB_ID[:CONFIG[/SPLIT]]`; labels in it are not read.
        out: the new file to write, whose name ends in .csv, .jsonl or .parquet.
        with_text: the texts, too.
        max_length: tokens of a text that are read; by default as many as the model says.
        encoding: of text files.
        id_column: by default `id`; without one, ids come from a hash of the text.
        text_column: by default `text`.
    """
    from rarecase.data.read import Columns
    from rarecase.runs.predict import predict as classify

    columns = Columns(id=id_column, text=text_column, label="")
    counts = classify(model, data, out, columns=columns, encoding=encoding, with_text=with_text, max_length=max_length)
    print("\n".join(f"{count:>10,}  {name}" for name, count in counts.items()))


@app.command
def simulate(
    settings: Annotated[SimulateConfig, Flat] = SimulateConfig(),  # noqa: B008 - frozen
    *,
    config: Path | None = None,
    format: PageFormat = "text",
) -> None:
    """
    Run strategies against each other, the labels hidden in the pool; the same command again goes on.

    Args:
        config: a YAML file of settings; a flag wins over it.
        format: `json` for programs, `markdown` for a page.
    """
    from rarecase.experiment.simulate import simulate as run_grid

    on_main(partial(report, run_grid(settings), format=format))


@app.command
def experiment(
    settings: Annotated[ExperimentConfig, Flat] = ExperimentConfig(),  # noqa: B008 - frozen
    *,
    config: Path | None = None,
    format: PageFormat = "text",
) -> None:
    """
    Train models on released splits, over settings and seeds: the paper's tables; the same command again goes on.

    Args:
        config: a YAML file of settings; a flag wins over it.
        format: `json` for programs, `markdown` for a page.
    """
    from rarecase.experiment.experiment import experiment as run_grid

    on_main(partial(report, run_grid(settings), format=format))


@app.command
def report(
    folder: Path, /, *, format: PageFormat = "text", model: str | None = None, examples: Path | None = None
) -> None:
    """
    Show what a run, a simulation or an experiment found so far; writes report.png into its folder.

    Args:
        folder: of a run, a simulation (gets details.png, too) or an experiment (report.md and tables/, too).
        format: `json` for programs, `markdown` for a page.
        model: of an experiment: whose errors to show; by default those of the best.
        examples: of an experiment: a new file for posts as examples, which are shown nowhere else.
    """
    from rarecase.report.show import show

    print(show(folder, format, width=terminal_width(), model=model, examples=examples))


def main() -> None:
    """What the console script runs, see `rarecase.__main__`."""
    end(command(sys.argv[1:]))


def command(arguments: list[str]) -> int:
    """Runs one command and gives its exit status."""
    open_closed_streams()
    quiet_libraries(uploading=arguments[:1] == ["publish"])
    try:
        return together(arguments, _command, _what_is_left)
    except KeyboardInterrupt:
        return STOPPED


def _say_that_it_begins(arguments: list[str]) -> None:
    """A line for who waits at a terminal: importing the libraries takes up to ten seconds on a slow machine."""
    is_quick = arguments[:1] in ([], ["taxonomy"]) or {"--help", "-h", "--version"} & {*arguments}
    if sys.stderr.isatty() and not is_quick and arguments[0] in [*app]:
        print(f"rarecase {arguments[0]}: loading the libraries", file=sys.stderr)


def _command(arguments: list[str]) -> int:
    _say_that_it_begins(arguments)
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()  # here, where an error of it is caught
    except WaitingForLabels as waiting:
        print(f"rarecase: {one_line(str(waiting))}", file=sys.stderr)
    except CycloptsError as error:
        return fail(" ".join(str(error).split()))
    except ProcessEndedError:
        raise
    except RarecaseError as error:
        return fail(str(error))
    except BrokenPipeError:
        discard_output()
        return int(is_distributed())  # the others do not know
    except OSError as error:
        line = refused_by_system(error)
        if line is None:
            raise
        if error.filename is None:
            discard_output()
        return fail(line)
    except KeyboardInterrupt:
        print(f"rarecase: stopped; {one_line(_what_is_left(arguments))}", file=sys.stderr)
        return STOPPED
    return 0


def _what_is_left(arguments: list[str]) -> str:
    try:
        with alone():  # the others may be gone
            _, bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
        return what_is_left(arguments[0], bound)
    except (CycloptsError, RarecaseError, KeyboardInterrupt):  # it was not read to its end
        return NOTHING
