"""How many tokens of a text a model reads, and how many texts are longer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rarecase.core.errors import ModelError

if TYPE_CHECKING:
    import torch

LONGEST = 512  # where nothing else is asked for, or known
AT_ONCE = 1_000  # texts whose tokens are held at a time
_UNKNOWN = 100_000  # tokens; transformers has 1e30 where a tokenizer does not know


class Reader(NamedTuple):
    """What cuts texts into tokens, how many of them the model reads, and what stands before each text."""

    tokenizer: Any
    tokens: int
    prompt: str = ""

    def longer(self, texts: Sequence[str]) -> int:
        """How many of the texts have more tokens than the model reads."""
        own = self.tokenizer.num_special_tokens_to_add()
        prompted = (self.prompt + text for text in texts)
        # A token is a byte or more: what has no more bytes than that need not be cut into tokens.
        long = [text for text in prompted if len(text.encode()) + own > self.tokens]
        found = 0
        for start in range(0, len(long), AT_ONCE):
            columns = self.tokenizer(long[start : start + AT_ONCE], truncation=True, max_length=self.tokens + 1)
            found += sum(len(row) > self.tokens for row in columns["input_ids"])
        return found


def stated(longest: Any) -> int | None:
    """How many tokens a tokenizer or a configuration says that are read; None where it does not know."""
    return longest if isinstance(longest, int) and 0 < longest <= _UNKNOWN else None


def tokens_read(model: str, tokenizer: Any, network: "torch.nn.Module", wanted: int) -> int:
    """How many tokens of a text are read where so many are wanted: not more than the network has positions for."""
    read = min(wanted, positions(network) or wanted)
    own = tokenizer.num_special_tokens_to_add()
    if read <= own:
        raise ModelError(
            f"{model}: would read {read} tokens of a text, and adds {own} of its own; expected more: give a larger "
            "--max-length, or another model"
        )
    return read


def positions(network: "torch.nn.Module") -> int | None:
    """For how many tokens a network has positions; None where it takes any number."""
    import torch

    longest = stated(getattr(getattr(network, "config", None), "max_position_embeddings", None))
    for module in network.modules():
        table = getattr(module, "position_embeddings", None)
        # RoBERTa and its like begin to count after the id of their padding.
        if longest and isinstance(table, torch.nn.Embedding) and table.padding_idx is not None:
            return longest - table.padding_idx - 1
    return longest
