"""From settings to the generator of variations, and to the language model that it asks."""

from pathlib import Path

from datasets import Dataset

from rarecase.core.errors import MissingColumnError
from rarecase.data.read import Columns, read_argument
from rarecase.data.taxonomy import Taxonomy
from rarecase.generate import Generator, NoVariations
from rarecase.generate.cheap import Cheap
from rarecase.generate.prompt import Prompt
from rarecase.generate.replay import Replay
from rarecase.generate.writer import Writer
from rarecase.llm import LanguageModel
from rarecase.llm.endpoint import Endpoint
from rarecase.llm.local import Local
from rarecase.llm.replies import Replies
from rarecase.settings.config import LoopConfig
from rarecase.verify.checks import Verifier


def generator_of(config: LoopConfig, taxonomy: Taxonomy, replies: Path, *, check: bool = False) -> Generator:
    """
    The generator, with the store of its replies; with `check`, first makes sure that its model exists and answers.

    Raises `GeneratorError` where an endpoint does not answer, and `ModelError` where a local model cannot be loaded.
    """
    if config.generator == "none" or config.variations == 0:
        return NoVariations()
    if config.generator == "replay":
        return replay_of(config)
    if config.generator == "cheap":
        return Cheap(seed=config.seed)
    model = _language_model_of(config, Replies(replies))
    if check:
        model.check()
    return Writer(
        model,
        taxonomy,
        seed=config.seed,
        temperature=config.temperature,
        template=config.template or "variation",
        contrast_to=config.contrast_to,
    )


def _language_model_of(config: LoopConfig, replies: Replies) -> LanguageModel:
    name = config.generator_model or ""
    if config.generator == "local":
        return Local(name, replies=replies)
    return Endpoint(
        config.generator_url or "",
        name,
        replies=replies,
        seed=config.seed,
        concurrency=config.concurrency,
        send_to=config.send_to,
    )


def verifier_of(config: LoopConfig, taxonomy: Taxonomy) -> Verifier:
    """R, as the settings say."""
    asks = config.generator in ("openai", "local")
    wording = Prompt.load(config.template or "variation").wording if asks else ()
    return Verifier(
        config.policy,
        wording=(*taxonomy.definitions, *wording),
        near_copies=config.generator != "cheap",  # which leaves most words as they are, as it is meant to
    )


def replay_of(config: LoopConfig) -> Replay:
    """The generator `replay`; its table may have the columns of the pool, or be a release, which has its own."""
    given = config.generator_data or ""

    def read(columns: Columns) -> Dataset:
        return read_argument(given, "variations", columns=columns, encoding=config.encoding, labeled=False)

    try:
        try:
            table = read(Columns(id=config.id_column, text=config.text_column))
        except MissingColumnError:
            table = read(Columns())
        return Replay(table)
    except MissingColumnError as error:
        raise MissingColumnError(f"--generator-data {given}: {error}; expected a table of variations") from None
