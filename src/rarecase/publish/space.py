"""The files that all Spaces have: those of `spaces/NAME` and the package, which runs beside `app.py`."""

import sys
from collections.abc import Collection
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from huggingface_hub import SpaceCardData

import rarecase
from rarecase.core.shipped import shipped
from rarecase.hub.commit import Files, Snapshot, refuse_foreign
from rarecase.publish.markdown import render

GRADIO = "6.31.0"  # what the page was last looked at with; for who publishes without having gradio
NOT_SHIPPED = {"sample", "dataset_card", "model_cards", "spaces", "__pycache__"}
SHIPPED = {".py", ".yaml", ".css", ".js", ".html"}
_LICENSE = "apache-2.0"  # that of the code: no text of the data is in a Space
ALSO_SHIPPED = {"py.typed", "experiment/paper.csv"}  # other files in the folder are not the package's


def gradio_files(name: str, front_matter: dict[str, Any], **values: Any) -> Files:
    """Card, app.py and requirements.txt of `spaces/NAME`, and the package; `values` fill in the card."""
    head = SpaceCardData(
        sdk="gradio",
        sdk_version=gradio_version(),
        python_version=f"{sys.version_info.major}.{sys.version_info.minor}",
        app_file="app.py",
        license=_LICENSE,
        **front_matter,
    )
    return _files(name, "app.py", head, values)


def docker_files(name: str, front_matter: dict[str, Any], **values: Any) -> Files:
    """Card, Dockerfile and requirements.txt of `spaces/NAME`, and the package; `values` fill in the card."""
    head = SpaceCardData(sdk="docker", app_port=7860, license=_LICENSE, **front_matter)
    return _files(name, "Dockerfile", head, values)


def _files(name: str, program: str, head: SpaceCardData, values: dict[str, Any]) -> Files:
    template = shipped("spaces") / name
    return {
        "README.md": render(template / "README.md", head, **values).encode(),
        program: template / program,
        "requirements.txt": template / "requirements.txt",
        **package(),
    }


def in_place_of(snapshot: Snapshot, markers: Collection[str], files: Files) -> Files:
    """The files of a Space, and None for modules that an earlier push left; one without `markers` is not ours."""
    require_ours(snapshot, markers)
    return {**dict.fromkeys(path for path in snapshot.files if path.startswith("rarecase/")), **files}


def require_ours(snapshot: Snapshot, markers: Collection[str]) -> None:
    """Refuses a Space that has files, and not all of `markers`, which no other kind of Space has together."""
    if not set(markers) <= snapshot.files.keys():
        refuse_foreign(snapshot)


def package() -> dict[str, Path]:
    """The files of the installed package, without the sample, whose texts do not belong in a Space."""
    home = Path(rarecase.__file__).parent
    inside = (path for path in sorted(home.rglob("*")) if path.is_file())
    kept = (path for path in inside if path.suffix in SHIPPED or path.relative_to(home).as_posix() in ALSO_SHIPPED)
    kept = (path for path in kept if not NOT_SHIPPED & set(path.relative_to(home).parts))
    return {f"rarecase/{path.relative_to(home).as_posix()}": path for path in kept}


def gradio_version() -> str:
    """The Gradio that a Space runs with: the installed one, or `GRADIO`."""
    try:
        return version("gradio")
    except PackageNotFoundError:
        return GRADIO
