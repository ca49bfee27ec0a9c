"""Prints the lower end of every dependency's range as constraints for pip; torch is left to pip."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
for requirement in [*project["dependencies"], *(r for group in project["optional-dependencies"].values() for r in group)]:
    if (found := re.fullmatch(r"([\w-]+)>=([\d.]+)", requirement)) and found[1] != "torch":
        print(f"{found[1]}=={found[2]}")
