"""`rarecase label …`: thin, and a part of `rarecase.cli.main`; nothing heavy is imported before a command runs."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import App

from rarecase.core.errors import ConfigError, DataError, did_you_mean
from rarecase.labeling.store import file_of, opened
from rarecase.labeling.store.flags import require_sense

if TYPE_CHECKING:
    from rarecase.labeling.store.desk import Desk

app = App(name="label", help="Have texts labelled by people, on a page that this machine or a Space serves.")


@app.command
def serve(
    *,
    store: str,
    host: str = "127.0.0.1",
    port: int = 7860,
    votes: int = 2,
    lease: float = 600,
    consensus: Literal["adjudication", "majority", "model"] = "adjudication",
    qualify: Path | None = None,
    calibrate_every: int = 0,
    roles: Path | None = None,
) -> None:
    """
    Show the texts of a label store to people, until it is stopped.

    Args:
        store: a file, `postgresql://…` or `hf://datasets/OWNER/NAME`; where `rarecase run --store` puts its texts.
        host: 127.0.0.1 is for people at this machine only.
        port: of the page.
        votes: annotators for each text.
        lease: seconds that a text is kept for whoever was given it.
        consensus: who decides where votes differ: `adjudication` (a person), `majority` (a tie goes to a person) or
            `model` (of how good each annotator is).
        qualify: texts with known labels, which everybody labels first; 70 of 100 have to be right.
        calibrate_every: after so many votes of a person, one of these texts instead; every second of them is for that.
        roles: a YAML file with the lists `owners`, `adjudicators` and `annotators`; without it anybody who reaches the
            page may label and settle.
    """
    require_sense(votes=votes, lease=lease, calibrate_every=calibrate_every, qualify=qualify)
    _require_there(store)
    opened(store).close()  # so that what is wrong with it, or not installed, is said before the page is loaded
    try:
        from rarecase.labeling.web import serve as serve_page
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the page needs {error.name}, which is not installed; pip install 'rarecase[app]'"
        ) from None
    from rarecase.labeling.store.state import Settings

    settings = Settings(votes=votes, lease=lease, consensus=consensus, calibrate_every=calibrate_every)
    serve_page(store, host=host, port=port, settings=settings, qualify=qualify, roles=roles)


@app.command
def status(*, store: str, format: Literal["text", "json"] = "text") -> None:
    """
    Say how far a label store is, and how far people agree.

    Args:
        store: a file, `postgresql://…` or `hf://datasets/OWNER/NAME`.
        format: `json` for programs.
    """
    with _desk(store) as desk:
        from rarecase.labeling.store.export import as_lines
        from rarecase.labeling.store.export import status as status_of

        found = status_of(desk)
    print(json.dumps(found, indent=2) if format == "json" else as_lines(found))


@app.command
def export(*, store: str, out: Path) -> None:
    """
    Write every vote to a CSV file, under A1, A2, …, without the texts.

    Args:
        store: a file, `postgresql://…` or `hf://datasets/OWNER/NAME`.
        out: the file to write.
    """
    with _desk(store) as desk:
        from rarecase.labeling.store.export import export_votes

        written = export_votes(desk, out)
    print(f"{out}: {written} votes", file=sys.stderr)


@app.command(name="import")
def import_(file: Path, /, *, store: str) -> None:
    """
    Read votes that were given elsewhere.

    Args:
        file: CSV with the columns `item`, `annotator` and `label`, and perhaps `seconds` and `batch`.
        store: a file, `postgresql://…` or `hf://datasets/OWNER/NAME`.
    """
    with _desk(store) as desk:
        from rarecase.labeling.store.export import import_votes

        new = import_votes(desk, file)
    print(f"{store}: {new} new votes" if "://" not in store else f"{new} new votes", file=sys.stderr)


@app.command
def forget(name: str, /, *, store: str) -> None:
    """
    Let somebody sign in again whose browser has lost its cookie: the name is the next browser's that takes it.

    Args:
        name: as they sign in.
        store: a file, `postgresql://…` or `hf://datasets/OWNER/NAME`.
    """
    with _desk(store) as desk:
        if not desk.forget(name):
            with desk.state() as state:
                bound = [person.name for person in state.people.values() if person.browser]
            raise DataError(f"nobody has signed in as {name!r}{did_you_mean(name, bound)}")


def _require_there(store: str) -> None:
    """A file that is not there would be made, and found empty; and be in the way of the folder of a run."""
    if "://" not in store and not file_of(store).is_file():
        raise ConfigError(
            f"--store {store}: no label store there yet; expected the folder or file of a run that waits for people "
            "(--annotator people)"
        )


@contextmanager
def _desk(store: str) -> "Iterator[Desk]":
    _require_there(store)
    found = opened(store)
    try:
        with found.desk.state() as state:
            if not state.seq:
                from rarecase.labeling.store.log import shown

                raise ConfigError(
                    f"--store {shown(store)}: no label store there yet; expected that of a run that waits "
                    "for people (--annotator people)"
                )
        yield found.desk
    finally:
        found.close()
