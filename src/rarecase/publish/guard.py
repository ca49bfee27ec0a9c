"""The Space of a guard: a Dockerfile that runs anywhere else too, and the package; the model stays where it is."""

import os
from contextlib import ExitStack
from dataclasses import replace

from rarecase.core.errors import ConfigError
from rarecase.core.shipped import shipped
from rarecase.guard.certificate import CERTIFICATE, Certificate
from rarecase.hub.commit import Files, Push, Pushed, Target, push, read_snapshot
from rarecase.hub.ids import split_revision
from rarecase.publish.markdown import TAGS
from rarecase.publish.references import on_hub
from rarecase.publish.space import docker_files, in_place_of, require_ours
from rarecase.publish.space_access import Visibility, prepared
from rarecase.serve import KEY

_DOCKERFILE = "Dockerfile"
_MARKERS = {_DOCKERFILE, "rarecase/__init__.py"}  # many Spaces have a Dockerfile, and each of ours the package
_NO_MODEL = 'ENV RARECASE_MODEL=""\n'


def publish_guard(
    target: Target,
    *,
    model: str,
    key: str,
    token: str | None = None,
    visibility: Visibility | None = None,
    send: Push = push,
) -> Pushed:
    """
    Publishes the Space of a guard, with a model (`OWNER/NAME[@REVISION]`) at its commit of today.

    Secrets of the Space are the `key`, which requests have to bring, and the `token`, which reads a private model. A
    new Space is private, for members of the organisation, and one that is there stays as visible as it is; at one that
    is `protected` anybody reaches the server, and needs the key.
    """
    target = replace(target, sdk="docker")
    found = on_hub("model", model)
    if found.private and token is None:
        raise ConfigError(
            f"--model {model}: private, so the Space needs a token that may read it; expected --space-token-env NAME, "
            "the environment variable that holds one"
        )
    pinned = f"{found.target.repo_id}@{found.sha}"
    certificate = Certificate.read(found.read(CERTIFICATE).parent) if CERTIFICATE in found.files else None
    files = space_files(target.repo_id, pinned, certified=bool(certificate and certificate.certified))

    space = read_snapshot(target)
    if not space.private:  # which the push refuses as well, but it comes after the secrets
        raise ConfigError(
            f"{target.repo_id} is public, and a guard is served by a private or protected Space; make it private "
            f"first (`hf repos settings {target.repo_id} --type space --private`), or name another --repo"
        )
    require_ours(space, _MARKERS)
    with ExitStack() as made:
        if not target.dry_run:
            secrets = {KEY: key} | ({} if token is None else {"HF_TOKEN": token})
            made.enter_context(prepared(target, space, secrets, visibility))
        return send(target, lambda now: in_place_of(now, _MARKERS, files), "Add the guard")


def space_files(repo_id: str, model: str, *, certified: bool) -> Files:
    """Everything that is in the Space; no text, no weights."""
    front_matter = {"title": repo_id.split("/")[-1], "models": [split_revision(model)[0]], "tags": TAGS}
    url = f"https://{repo_id.replace('/', '-').replace('_', '-').replace('.', '-').lower()}.hf.space"
    files = docker_files("guard", front_matter, repo_id=repo_id, model=model, certified=certified, url=url)
    dockerfile = (shipped("spaces") / "guard" / _DOCKERFILE).read_text(encoding="utf-8")
    return {**files, _DOCKERFILE: dockerfile.replace(_NO_MODEL, f'ENV RARECASE_MODEL="{model}"\n').encode()}


def key_of_environment() -> str:
    """The key that requests will have to bring."""
    key = os.environ.get(KEY, "").strip()
    if not key:
        raise ConfigError(f"{KEY} is not set: expected the key that requests to the guard will bring")
    return key
