"""Where the commands run, and how."""

from collections.abc import Callable
from pathlib import Path

import pytest
from forks import Forks, Result

from bad_input import KEY
from bad_input.files import write_inputs


@pytest.fixture(scope="session")
def inputs(tmp_path_factory) -> Path:
    """The folder in which all commands run, with every good and bad table."""
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    return folder


@pytest.fixture(scope="session")
def rarecase(forks: Forks, inputs: Path) -> Callable[[str], Result]:
    """Runs the installed program there."""
    return lambda command: forks.run(f"rarecase {command}", inputs, OPENAI_API_KEY=KEY, COLUMNS="100")
