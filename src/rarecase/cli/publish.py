"""`rarecase publish …`: thin, and a part of `rarecase.cli.main`; nothing heavy is imported before a command runs."""

import json
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from rarecase.cli.formats import Format
from rarecase.core.documents import parse_yaml, read_document, reason
from rarecase.core.errors import ConfigError, did_you_mean, shown_id

if TYPE_CHECKING:
    from rarecase.hub.commit import Kind, Push, Pushed, Target

app = App(name="publish", help="Publish to the Hub what a run acquired and trained; private without --public.")


@dataclass(frozen=True, kw_only=True)
class Destination:
    """
    Where to publish, and who may see it there.

    Args:
        repo: `OWNER/NAME` on the Hub.
        license: the id of the licence, as the Hub names it, such as `cc-by-4.0`.
        public: anybody may see it, once it is filled; without it a new repository is private.
        yes: do not ask whether `--public` is meant.
        gated: readers ask for access first, which is given at once (`auto`) or by you (`manual`).
        revision: the branch to push to; made where there is none.
        tag: the name that the new state gets.
        create_pr: open a pull request instead.
        dry_run: only show every file and the whole card.
        format: `json` for programs.
    """

    repo: str
    license: str | None = None
    public: bool = False
    yes: bool = False
    gated: Literal["auto", "manual"] | None = None
    revision: str | None = None
    tag: str | None = None
    create_pr: bool = False
    dry_run: bool = False
    format: Format = "text"

    def open(self, kind: "Kind", also: str = "") -> "tuple[Target, Push]":
        """
        The target, once `--public` is confirmed, and what sends things there: a push, or in a dry run a plan. `also`
        is what else becomes public.
        """
        from rarecase.core.progress import doing
        from rarecase.hub.commit import Build, Pushed, Target, push
        from rarecase.publish.plan import Plan

        def shown(target: Target, build: Build, message: str) -> Pushed:
            with doing(f"publishing {target.repo_id}"):
                return push(target, build, message)

        options = {
            name: getattr(self, name) for name in ("public", "gated", "revision", "tag", "create_pr", "dry_run")
        }
        target = Target(kind=kind, repo_id=self.repo, **options)
        if self.public and not self.yes and not self.dry_run:
            _confirm("--public", f"anybody will be able to read {self.repo}{also}", "published")
        return target, Plan() if self.dry_run else shown

    def require_license(self) -> str:
        """The licence, which a data set and a model need."""
        if not self.license:
            raise ConfigError(
                "--license is missing: expected the id of a licence as the Hub names it, such as cc-by-4.0"
            )
        return self.license


@dataclass(frozen=True, kw_only=True)
class Terms:
    """
    What only the publisher of a data set knows.

    Args:
        accept_no_license: the source of the texts states no licence, and you know that.
        about: a YAML file with what only you know: `title` (by default the name of the repository), `description`,
            `language` (of the texts, such as `en`), `annotators_trained`, `annotators_paid`, `source_terms`,
            `llm_terms`, `contact`. What is left out stays as it is there.
    """

    accept_no_license: bool = False
    about: Path | None = None

    def read_about(self) -> dict[str, str]:
        """Title, description and the fields of `rarecase.data.release.About` in the file of `--about`."""
        from rarecase.data.release import About

        known = ["title", "description", *(one.name for one in fields(About))]
        expected = f"expected a YAML file with text under any of {', '.join(known)}"
        if self.about is None:
            return {}
        try:
            about = parse_yaml(read_document(self.about))
        except (OSError, ValueError) as error:
            raise ConfigError(f"--about {self.about}: {reason(error)}; {expected}") from None
        if not isinstance(about, dict) or not all(isinstance(value, str) for value in about.values()):
            raise ConfigError(f"--about {self.about}: no texts by name; {expected}")
        unknown = next((str(key) for key in about if key not in known), None)
        if unknown:
            hint = did_you_mean(unknown, known)
            raise ConfigError(f"--about {self.about}: key{shown_id(unknown)} is unknown{hint}; {expected}")
        return about


DestinationFlags = Annotated[Destination, Parameter(name="*")]
TermsFlags = Annotated[Terms, Parameter(name="*")]


@app.command(name="dataset")
def publish_dataset(folder: Path, /, to: DestinationFlags, terms: TermsFlags = Terms()) -> None:
    """
    Publish a data set: one config for each strategy, beside those that the repository has.

    Args:
        folder: of a run, or a release.
    """
    from rarecase.publish import dataset

    target, send = to.open("dataset")
    about = terms.read_about()
    license, accepted = to.require_license(), terms.accept_no_license
    done = dataset.publish_dataset(folder, target, license, accept_no_license=accepted, about=about, send=send)
    _print(to, [done], send)


@app.command(name="model")
def publish_model(folder: Path, /, to: DestinationFlags, *, dataset: str | None = None) -> None:
    """
    Publish a trained model.

    Args:
        folder: of a model, or a run (its last learner).
        dataset: the data set on the Hub that it was measured on, `OWNER/NAME[@REVISION]`, for its `model-index`.
    """
    from rarecase.publish import model
    from rarecase.publish.references import dataset_on_hub

    target, send = to.open("model")
    measured_on = dataset_on_hub(dataset, folder) if dataset else None
    done = model.publish_model(folder, target, to.require_license(), dataset=measured_on, send=send)
    _print(to, [done], send)


@app.command(name="demo")
def publish_demo(
    folder: Path, /, to: DestinationFlags, *, dataset: str | None = None, model: str | None = None
) -> None:
    """
    Publish a Space that shows a data set and a model which are on the Hub already.

    Args:
        folder: of the run or release that the data set was made from.
        dataset: `OWNER/NAME[@REVISION]`; by default what `--repo OWNER/NAME-demo` is named after.
        model: `OWNER/NAME[@REVISION]`.
    """
    from rarecase.publish import demo
    from rarecase.publish.references import dataset_on_hub, model_on_hub

    if dataset is None and not to.repo.endswith("-demo"):
        raise ConfigError("--dataset is missing: expected OWNER/NAME of the data set that the Space shows")
    if to.license:
        raise ConfigError(f"--license {to.license}: a demo is code, which has its own licence; leave it out")
    target, send = to.open("space")
    shown = dataset_on_hub(dataset or to.repo.removesuffix("-demo"))
    answering = model_on_hub(model) if model else None
    _print(to, [demo.publish_demo(folder, target, dataset=shown, model=answering, send=send)], send)


@app.command(name="labeling")
def publish_labeling(
    folder: Path,
    /,
    *,
    repo: str,
    roles: Path,
    space_token_env: str,
    visibility: Literal["private", "protected"] | None = None,
    votes: int | None = None,
    lease: float | None = None,
    consensus: Literal["adjudication", "majority", "model"] | None = None,
    calibrate_every: int | None = None,
    qualify: Path | None = None,
    dry_run: bool = False,
    format: Format = "text",
) -> None:
    """
    Publish a Space where people label, and the private data set OWNER/NAME-labels that their votes go to.

    Options that are left out keep their stored value where the Space is published again.

    Args:
        folder: of a run or a start, for its classes.
        repo: `OWNER/NAME` of the Space on the Hub.
        roles: a YAML file with the lists `owners`, `adjudicators` and `annotators`, names on the Hub.
        space_token_env: the environment variable that holds the Space's own token, a fine-grained one.
        visibility: `private`, for members of the organisation, or `protected`: anybody reaches the page, and those
            whom the roles name get in. A new Space is private, and one that is there stays as it is.
        votes: annotators for each text, by default 2.
        lease: seconds that a text is reserved for whoever was given it, by default 600.
        consensus: who decides where votes differ: `adjudication` (a person, the default), `majority` (a tie goes
            to a person) or `model` (of how good each annotator is).
        calibrate_every: after so many votes of a person, a text of `--qualify`; every second one there is kept for
            this. 0 is never.
        qualify: a table of texts with known labels, which everybody labels first; 70 % have to be right. They go into
            the data set, which keeps them.
        dry_run: only show every file and the whole card.
        format: `json` for programs.
    """
    from rarecase.labeling.store.settings import check_settings
    from rarecase.publish import labeling
    from rarecase.publish.space_access import space_token

    check_settings(votes=votes, lease=lease, calibrate_every=calibrate_every, qualify=qualify)
    settings = {"votes": votes, "lease": lease, "consensus": consensus, "calibrate_every": calibrate_every}
    to = Destination(repo=repo, dry_run=dry_run, format=format)
    target, send = to.open("space")
    token = space_token(space_token_env, "write to the data set of the labels")
    done = labeling.publish_labeling(
        folder,
        target,
        roles=roles,
        token=token,
        visibility=visibility,
        settings={name: value for name, value in settings.items() if value is not None},
        qualify=qualify,
        send=send,
    )
    _print(to, done, send, f"let a run ask there: --annotator people --store hf://datasets/{done[0].repo_id}")


@app.command(name="guard")
def publish_guard(
    *,
    repo: str,
    model: str,
    space_token_env: str | None = None,
    visibility: Literal["private", "protected"] | None = None,
    dry_run: bool = False,
    format: Format = "text",
) -> None:
    """
    Publish a Space that judges texts over HTTP, by a model that is on the Hub already.

    The variable RARECASE_API_KEY holds the key that requests will have to bring; it becomes a secret of the Space.

    Args:
        repo: `OWNER/NAME` of the Space on the Hub.
        model: `OWNER/NAME[@REVISION]`; the Space keeps the commit that this is today.
        space_token_env: the environment variable that holds a fine-grained token, which may read the model; needed
            where it is private.
        visibility: `private`, for members of the organisation, or `protected`: anybody reaches the server, and needs
            the key. A new Space is private, and one that is there stays as it is.
        dry_run: only show every file and the whole card.
        format: `json` for programs.
    """
    from rarecase.publish import guard
    from rarecase.publish.space_access import space_token

    to = Destination(repo=repo, dry_run=dry_run, format=format)
    target, send = to.open("space")
    token = space_token(space_token_env, "read the model") if space_token_env else None
    done = guard.publish_guard(
        target, model=model, key=guard.key_of_environment(), token=token, visibility=visibility, send=send
    )
    _print(to, [done], send, after_space="")  # a private model has its token by now


@app.command(name="all")
def publish_all(
    folder: Path,
    /,
    to: DestinationFlags,
    terms: TermsFlags = Terms(),
    *,
    models: Annotated[list[Path] | None, Parameter(name="--model")] = None,
) -> None:
    """
    Publish a data set as OWNER/NAME, each model as OWNER/NAME-FOLDER, and the Space OWNER/NAME-demo.

    Args:
        folder: of a run, or a release.
        models: a model folder; once for each model. The first one answers in the Space.
    """
    from rarecase.publish import all as everything

    target, send = to.open("dataset", also=", its models and its demo")
    done = everything.publish_all(
        folder,
        target,
        to.require_license(),
        models=models or [],
        accept_no_license=terms.accept_no_license,
        about=terms.read_about(),
        send=send,
    )
    _print(to, done, send)


@app.command
def remove(
    *,
    repo: str,
    ids: str = "",
    whole_ids: Annotated[list[str] | None, Parameter(name="--id")] = None,
    purge: bool = False,
    yes: bool = False,
    dry_run: bool = False,
    format: Format = "text",
) -> None:
    """
    Take rows of a data set down, with their variations, in a new commit.

    Args:
        repo: `OWNER/NAME` on the Hub.
        ids: of the rows, separated by commas.
        whole_ids: one id, which may have commas in it; once for each row.
        purge: also squash the history, drop old tags, and delete the files behind them.
        yes: do not ask whether `--purge` is meant.
        dry_run: only list what would go.
        format: `json` for programs.
    """
    from rarecase.publish.remove import counted, plan_removal
    from rarecase.publish.remove import remove as take_down

    wanted = [*(id_.strip() for id_ in ids.split(",") if id_.strip()), *(whole_ids or [])]
    if dry_run:
        plan = plan_removal(repo, wanted, purge=purge)
        print(json.dumps(asdict(plan), indent=2) if format == "json" else plan)
        return
    if purge and wanted and not yes:
        _confirm("--purge", f"the history and the tags of {repo} will be gone for good", "removed")
    done = take_down(repo, wanted, purge=purge)
    if format == "json":
        print(json.dumps(asdict(done), indent=2))
    else:
        print(f"{repo}: {counted(done.rows, done.variations)} taken down, at {done.pushed.revision[:8]}")
    if purge:
        print(f"the history of {repo} is squashed, and its tags are dropped", file=sys.stderr)
    else:
        print(f"older revisions of {repo} still have the rows; repeat with --purge to drop them", file=sys.stderr)
    if done.demo:
        print(f"{done.demo} shows an older revision; publish it again (rarecase publish demo)", file=sys.stderr)


def _confirm(option: str, consequence: str, done: str) -> None:
    """Asks on a terminal whether that is meant; a `ConfigError` where it is not, or there is nobody to ask."""
    if sys.stdin is None or not sys.stdin.isatty():  # None where it was closed
        raise ConfigError(f"{option}: {consequence}; without a terminal to confirm it in, add --yes")
    print(f"{consequence[0].upper()}{consequence[1:]}. Continue? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ConfigError(f"{option}: not confirmed; nothing was {done}")


def _print(
    to: Destination,
    done: "list[Pushed]",
    send: "Push",
    after_space: str = "give the Space the secret HF_TOKEN, a token that may read its data and its model, unless "
    "everybody may read both",
) -> None:
    from rarecase.publish.plan import Plan

    planned = send.pushes if isinstance(send, Plan) else []
    if to.format == "json":
        print(json.dumps([asdict(one) for one in planned or done], indent=2))
    elif planned:
        print(*planned, sep="\n\n")
    else:
        for pushed in done:
            what = f"{len(pushed.files)} files" if pushed.changed else "nothing to do"
            visibility = "private" if pushed.private else "public"
            print(f"{pushed.kind:8} {pushed.url}  {visibility}, {what}, at {pushed.revision[:8]}")
        if after_space and any(pushed.kind == "space" and pushed.private for pushed in done):
            print(f"next: {after_space}", file=sys.stderr)
