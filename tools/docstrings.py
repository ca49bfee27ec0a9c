"""
Docstrings for the Python reference (`make docs`): those of Hugging Face's format in the words of mkdocstrings' parser.

Types of arguments are left to the annotations, those of what is returned or raised lose their backticks, and
`Example:` becomes a section of its own.
"""

import re
from typing import Any

import griffe

ARGUMENT = re.compile(r"^(\s+\w+) \(`.*?\):", re.M)  # `pool (`Dataset`, *optional*):`
TYPE = re.compile(r"^(\s+)`([^`\n]+)`: ", re.M)  # of what is returned or raised
EXAMPLE = re.compile(r"^(\s*)Example:$", re.M)


class Docstrings(griffe.Extension):
    """Rewrites every docstring once it is collected."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            text = TYPE.sub(r"\1\2: ", ARGUMENT.sub(r"\1:", obj.docstring.value))
            obj.docstring.value = EXAMPLE.sub(r"\1Examples:", text)
