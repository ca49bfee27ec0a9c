"""What is left after Ctrl-C, and how to go on: true for each command, at whatever moment it was stopped."""

from inspect import BoundArguments
from pathlib import Path
from typing import Any

from rarecase.core.errors import command_line, flag

NOTHING = "nothing was written; repeat the command"


def what_is_left(command: str, bound: BoundArguments) -> str:
    """What a command has left, which was called with these arguments."""
    from rarecase.runs.folder import is_begun

    bound.apply_defaults()  # `demo` writes into a folder that nobody has to name
    given = bound.arguments
    settings = given.get("settings")
    out: Path | None = given.get("resume") or getattr(settings, "out", None) or given.get("out")
    begun = out is not None and is_begun(out) and not given.get("dry_run")
    if command in ("run", "start"):
        return f"go on with: {_resume(command, out, settings)}" if begun else NOTHING
    if command in ("simulate", "experiment", "demo"):
        return "what is finished stays; repeat the command to go on" if begun else NOTHING
    if command == "publish":
        return "no repository is half-filled; repeat the command to go on"
    if command in ("report", "label", "verify"):
        return "nothing is half-written; repeat the command"
    return NOTHING if out is None or not out.exists() else f"{out} is whole; to repeat the command, name another --out"


def _resume(command: str, folder: Path | None, settings: Any) -> str:
    """The command that goes on, with what a folder does not settle by itself (`rarecase.cli.main`)."""
    words: list[object] = [command, "--resume", folder]
    known = {name: getattr(settings, name, None) for name in ("strategy", "send_to", "store", "report_to")}
    for name, value in known.items():
        if value not in (None, "none") and (name != "strategy" or ":" in value):
            words += [flag(name), value]
    return command_line(*words)
