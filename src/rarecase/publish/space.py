"""What the Spaces have in common: the package, which is copied into them, and the Gradio version."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import rarecase

GRADIO = "6.31.0"  # what the page was last looked at with; for who publishes without having gradio
NOT_SHIPPED = {"sample", "dataset_card", "model_cards", "spaces", "__pycache__"}
SHIPPED = {".py", ".yaml", ".css", ".js", ".html"}  # and py.typed: other files in the folder are not the package's


def package() -> dict[str, Path]:
    """The files of the installed package, without the sample, whose texts do not belong in a Space."""
    home = Path(rarecase.__file__).parent
    inside = (path for path in sorted(home.rglob("*")) if path.is_file())
    kept = (path for path in inside if path.suffix in SHIPPED or path.name == "py.typed")
    kept = (path for path in kept if not NOT_SHIPPED & set(path.relative_to(home).parts))
    return {f"rarecase/{path.relative_to(home).as_posix()}": path for path in kept}


def gradio_version() -> str:
    """The Gradio that a Space runs with: the installed one, or `GRADIO`."""
    try:
        return version("gradio")
    except PackageNotFoundError:
        return GRADIO
