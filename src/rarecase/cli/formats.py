"""What `--format` may be."""

from typing import Literal

Format = Literal["text", "json"]
PageFormat = Literal["text", "json", "markdown"]  # of reports, which are also put on pages
