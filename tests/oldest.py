"""Prints the lower end of every dependency's range as constraints for pip; torch is left to pip."""

import itertools
import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
groups = [project["dependencies"], *project["optional-dependencies"].values()]
for requirement in itertools.chain(*groups):
    if (found := re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", requirement)) and found[1] != "torch":
        print(f"{found[1]}=={found[2]}")
