"""
What the planted-text tests run, and where: commands over marked texts, at DEBUG, each with the end that it is to have.
"""

import re
import signal
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import marked
from bad_input import cases, files
from forks import Forked, Forks, Result
from hub_server import Hub
from hub_server.server import free_port
from marked import Unkind, traces

ASIDE = {
    "given/*": "what goes in",
    "bad/*": "what goes in",
    "*.parquet": "the rows themselves",
    "*.parquet.*.tmp": "the same, left by a kill",
    "*/to_label*.csv": "what people are given to label",
    "*/.to_label.csv.*.tmp": "the same, left by a kill",
    "*/replies.sqlite*": "the store of replies",
    "work/examples.md": "the examples that somebody asked a file for",
    "*labels.sqlite": "the store of labels",
    "*labels.sqlite-journal": "the same, left by a kill",
    "hf_home/datasets/*": "the cache of `datasets`",
    "hf_home/hub/datasets--*/blobs/*": "the cache of the Hub",
    "printed/*": "searched command by command",
}


@dataclass(frozen=True)
class World:
    """
    What all steps share.

    Args:
        root (`Path`): the folder that everything is in.
        hub (`Hub`): where they publish.
        forks (`Forks`): what runs them.
        servers (`dict[str, Unkind]`): endpoints, by what they answer.
        port (`int`): a free one, for the page.
        inputs (`set[Path]`): what is there before the first command.
    """

    root: Path
    hub: Hub
    forks: Forks
    servers: dict[str, Unkind]
    port: int
    inputs: set[Path]

    @property
    def work(self) -> Path:
        """Where the commands run, and write."""
        return self.root / "work"

    def run(self, step: "Step") -> Result:
        """Does what a step says."""
        step.before(self)
        killed = []

        def meanwhile(process: Forked) -> None:
            time.sleep(0.02)
            step.meanwhile(self)
            if step.kill and not killed and step.kill[1](self):
                process.kill(step.kill[0])
                killed.append(process)

        names = {name: server.url for name, server in self.servers.items()}
        names |= {"case": str(self.work / step.slug), "repo": f"acme/{step.slug}"}
        command = f"{step.program} {step.command.format(**names)}"
        process = self.forks.begin(command, self.root / step.cwd, name=step.slug, **step.environment)
        return process.wait(meanwhile=meanwhile)


@dataclass(frozen=True)
class Step:
    """
    A command, and how it is to end.

    Args:
        name (`str`): what is done, or what is wrong.
        command (`str`): its arguments, in which `{html}` and the like are endpoints, and `{case}` and `{repo}` its own
            place on the disk and on the Hub.
        status (`int`): its exit code; less than 0 where `kill` ends it.
        says (`str`): a pattern for its one line, after `rarecase: `; empty where it says none.
        before (`Callable`): what is done first.
        meanwhile (`Callable`): what is done again and again until it has ended.
        kill (`tuple`, *optional*): a signal, and what has to hold before it is sent.
        program, cwd, environment: where and how it runs.
    """

    name: str
    command: str
    status: int = 0
    says: str = ""
    before: Callable[[World], object] = lambda world: None
    meanwhile: Callable[[World], object] = lambda world: None
    kill: tuple[signal.Signals, Callable[[World], object]] | None = None
    program: str = "rarecase"
    cwd: str = "work"
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        return re.sub(r"\W+", "-", self.name).strip("-")


def run(**settings: object) -> str:
    """A small run over the marked texts."""
    defaults = {name: f"../given/{name}.csv" for name in marked.PLACES}
    defaults |= dict.fromkeys(("model", "encoder"), "../given/tiny")
    defaults |= {
        "strategy": "random",
        "annotator": "gold",
        "generator": "none",
        "budget": 2,
        "batch": 2,
        "out": "{case}",
    }
    return cases.command("run", defaults, settings)


def start(**settings: object) -> str:
    sizes = {"bootstrap": 4, "dev": 3, "test": 3, "annotator": "gold", "out": "{case}"}
    return cases.command("start", {"pool": "../given/pool.csv", **sizes}, settings)


def fault(match: str, **what: object) -> Callable[[World], None]:
    return lambda world: world.hub.fault(match, **what)


@contextmanager
def prepared(
    hub: Hub, root: Path, *, kinds: Collection[str] = (), silent: Collection[str] = (), **variables: str
) -> Iterator[World]:
    """
    Everything that the commands find.

    Args:
        hub (`Hub`): it is emptied.
        root (`Path`): an empty folder.
        kinds (`Collection[str]`): what endpoints answer.
        silent (`Collection[str]`): names of further ones, which answer after a minute.
        variables (`str`): more of them, of all commands.
    """
    for name in ("given", "bad", "work", "printed"):
        (root / name).mkdir()
    marked.write_inputs(root / "given")
    files.write_inputs(root / "bad")
    hub.reset()
    port = free_port()
    with ExitStack() as stack:
        servers = {kind: stack.enter_context(Unkind(kind)) for kind in kinds}
        servers |= {kind: stack.enter_context(Unkind(kind, delay=60.0)) for kind in silent}
        environment = {**hub.environment, **dict(marked.debugging(root)), **variables}
        environment["GRADIO_SERVER_PORT"] = str(port)
        forks = stack.enter_context(Forks(environment, root / "printed"))
        inputs = {*(root / "given").rglob("*"), *(root / "bad").rglob("*")}
        yield World(root=root, hub=hub, forks=forks, servers=servers, port=port, inputs=inputs)


@contextmanager
def ends(world: World, *chains: list[Step]) -> Iterator[dict[str, Future]]:
    """How every step ended, or will; each chain in order, all of them at once."""
    found: dict[str, Future] = {step.name: Future() for steps in chains for step in steps}

    def follow(steps: list[Step]) -> None:
        for step in steps:
            try:
                found[step.name].set_result(world.run(step))
            except Exception as error:  # the test of the step raises it
                found[step.name].set_exception(error)

    with ThreadPoolExecutor(len(chains)) as pool:
        for steps in chains:
            pool.submit(follow, steps)
        yield found


def require(step: Step, result: Result) -> None:
    """That it ended as it should, and printed no text."""
    assert result.status == step.status, result.err.decode()[-3000:]
    assert len(result.lines) == bool(step.says), result.lines
    assert not step.says or re.match(f"rarecase: {step.says}", result.lines[0]), result.lines[0]
    assert traces(result.out) == []
    assert traces(result.err) == []
