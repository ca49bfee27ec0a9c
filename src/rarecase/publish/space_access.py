"""The secrets of a Space, which it gets before its files, and who reaches it."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Literal

from huggingface_hub import HfApi, get_token

from rarecase.core.errors import ConfigError, HubError
from rarecase.hub.commit import Snapshot, Target, create, taken_back, without_debug_logs
from rarecase.hub.errors import retried

Visibility = Literal["private", "protected"]


def space_token(variable: str, may: str) -> str:
    """The token for a Space, from this environment variable; a `ConfigError` for none, or the caller's own."""
    token = os.environ.get(variable, "").strip()
    if not token:
        raise ConfigError(
            f"--space-token-env {variable}: no such variable is set; expected the name of one that holds a "
            f"fine-grained token, which may {may} and nothing else"
        )
    if token == get_token():
        raise ConfigError(
            f"--space-token-env {variable}: holds your own token, and whoever takes over the Space could do all that "
            f"you can; make a fine-grained one, which may {may} alone"
        )
    return token


@contextmanager
def prepared(target: Target, now: Snapshot, secrets: dict[str, str], visibility: Visibility | None) -> Iterator[None]:
    """Makes a Space where there is none, and prepares it for its files; a new one is taken back where these fail."""
    created = now.sha is None and create(target)
    with taken_back(target) if created else nullcontext():
        give_secrets(target, secrets, None if created and visibility == "private" else visibility)
        yield


def give_secrets(target: Target, secrets: dict[str, str], visibility: Visibility | None) -> None:
    """Makes a Space as visible as asked, and gives it its secrets, before it gets files."""
    api, repo_id = HfApi(), target.repo_id
    try:
        with without_debug_logs():
            if visibility:
                retried(repo_id, lambda: api.update_repo_settings(**target.repo, visibility=visibility))
            for key, value in secrets.items():
                retried(repo_id, partial(api.add_space_secret, repo_id, key, value))
    except HubError as error:  # a Hub that refuses a value may quote it
        said = re.sub(r"(refuses it \(status \d+\)).*", r"\1", str(error), flags=re.DOTALL)
        raise HubError(said, temporary=error.temporary) from None
