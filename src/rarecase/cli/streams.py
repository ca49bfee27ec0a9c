"""What a command says on stdout and stderr, and what the libraries do not."""

import os
import shutil
import sys
import warnings
from pathlib import Path

from rarecase.core.errors import one_line


def terminal_width() -> int | None:
    """The letters of a line of the terminal that stdout is, or of `COLUMNS`; None where it is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def discard_output() -> None:
    """Whatever stdout still holds goes nowhere: it cannot be written, and would be tried again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(message: str) -> int:
    """One line on stderr; 2 for a user's mistake."""
    print(f"rarecase: {one_line(message)}", file=sys.stderr)
    return 2


def open_closed_streams() -> None:
    """What is for a stream that was closed (`2>&-`) goes nowhere; what is for stderr would go to stdout."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open to the end


def quiet_libraries(uploading: bool) -> None:
    """The bars and notices of the libraries would go between our lines, terminal or not; ours say what goes on."""
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    warnings.filterwarnings("ignore", "It seems that you are about to commit a data file")  # the map of a demo: meant
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    if not (uploading and sys.stderr.isatty()):  # the bars of an upload are the Hub's own
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    for name in ("TRANSFORMERS_VERBOSITY", "HF_HUB_VERBOSITY"):
        os.environ.setdefault(name, "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ["MPLBACKEND"] = "agg"  # pictures are files; what a notebook has set here may not be known
