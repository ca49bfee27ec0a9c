"""A strategy by the name that the command line gives it: one that ships with rarecase, or the user's own function."""

import importlib
import os
import sys
from pathlib import Path

from rarecase.acquire.strategy import Strategy, name_of
from rarecase.core.errors import ConfigError, did_you_mean
from rarecase.data.arrow import HELPERS
from rarecase.data.release import check_names

# fmt: off
STRATEGIES = (  # the four of the paper first
    "random", "entropy", "coreset", "cluster", "least_confidence", "margin", "bald", "badge", "contrastive",
    "disagreement", "typiclust", "probcover", "rare", "rare_first",
)
# fmt: on
# Those that are not in a module of their own name.
_MODULES = {
    "cluster": "clusters",
    "rare_first": "rare",
    **dict.fromkeys(("entropy", "least_confidence", "margin", "bald"), "uncertainty"),
}
ANCHORS = "anchors-"  # before another name: that strategy, shown the part of the pool around the labelled examples


def find_strategy(name: str) -> Strategy:
    """One of `STRATEGIES`, `module:function` from the working folder, or either after `anchors-`."""
    own = name.removeprefix(ANCHORS)
    if own in STRATEGIES:
        found = getattr(importlib.import_module(f"rarecase.acquire.{_MODULES.get(own, own)}"), own)
    else:
        try:
            found = _users_own(own)
        except ConfigError as error:
            raise ConfigError(f"--strategy {name}: {error}") from error.__cause__
    if own == name:
        return found
    from rarecase.acquire.anchors import anchors

    return anchors(found)


def code_of(name: str) -> Path | None:
    """The file of a strategy of the user's own, once it is found; None of one that ships with rarecase."""
    module, _, function = name.removeprefix(ANCHORS).partition(":")
    file = getattr(sys.modules.get(module), "__file__", None) if function else None
    return Path(file) if file else None


def _users_own(name: str) -> Strategy:
    module_name, _, function_name = name.partition(":")
    parts = (*module_name.replace("-", "_").split("."), function_name)
    if not all(part.isidentifier() for part in parts):
        raise ConfigError(
            f"expected one of {', '.join(STRATEGIES)}, or module:function, or either after {ANCHORS}"
            f"{did_you_mean(name, STRATEGIES)}"
        )
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if not f"{module_name}.".startswith(f"{error.name}."):  # one that it imports
            raise
        raise ConfigError(f"no module {module_name!r} in {os.getcwd()} or the environment") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        functions = [other for other, value in vars(module).items() if callable(value)]
        raise ConfigError(f"no such function in {module_name}{did_you_mean(function_name, functions)}")
    _require_usable(function)
    return function


def require_columns(function: Strategy) -> None:
    """Raises `ConfigError` where a strategy needs a column that nothing makes."""
    of_labeled = [column for column in HELPERS if column not in ("cluster", "similarity")]  # these are the pool's
    for attribute, where, made in (("needs", "", HELPERS), ("needs_labeled", " of the labelled rows", of_labeled)):
        unknown = next((column for column in getattr(function, attribute, ()) if column not in made), None)
        if unknown is not None:
            raise ConfigError(
                f"needs the column {unknown!r}{where}, which does not exist; expected any of {', '.join(made)}"
                f"{did_you_mean(unknown, made)}"
            )


def _require_usable(function: Strategy) -> None:
    """What it acquires becomes a config of its name, beside `bootstrap`: known before a label is spent on it."""
    config = name_of(function)
    if config == "bootstrap":
        raise ConfigError("'bootstrap' is the name of the start set; rename the function")
    try:
        check_names({config: {}}, config)
    except ConfigError as error:
        raise ConfigError(f"{error}; give the function another name") from None
    require_columns(function)
