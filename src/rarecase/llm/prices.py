"""What the tokens of a language model cost: the shipped table, and one of the user's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rarecase.core.documents import parse_yaml, read_document, reason
from rarecase.core.errors import ConfigError, DataError
from rarecase.core.typed import from_json

SHIPPED = Path(__file__).with_name("prices.yaml")
MILLION = 1_000_000


@dataclass(frozen=True)
class Price:
    """Dollars per million tokens."""

    prompt: float
    completion: float

    def of(self, prompt: int, completion: int) -> float:
        """The dollars that so many tokens cost."""
        return (prompt * self.prompt + completion * self.completion) / MILLION


@dataclass(frozen=True)
class Prices:
    """`prices.yaml`: the prices of models by their names, and when they were looked up."""

    models: Mapping[str, Price]
    checked: str | None = None

    @classmethod
    def read(cls, path: Path) -> "Prices":
        """A file of prices; a `DataError` names what is wrong with it."""
        try:
            content = parse_yaml(read_document(path))
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: {reason(error)}; expected YAML like {SHIPPED.name} of rarecase.llm") from None
        prices: Prices = from_json(cls, content, str(path))
        for name, price in prices.models.items():
            if min(price.prompt, price.completion) < 0:
                raise DataError(f"{path}: the price of {name!r:.60} is less than 0")
        return prices


FREE = Price(0.0, 0.0)


def price_of(model: str, own: str | None, *, is_here: bool) -> Price | None:
    """The price in a file of the user's own, or else none of a server that `is_here`, or else the shipped one."""
    if own and (price := Prices.read(Path(own)).models.get(model)):
        return price
    return FREE if is_here else Prices.read(SHIPPED).models.get(model)


def require_price(model: str, price: Price | None) -> None:
    """An error where a limit in dollars needs a price that no table has."""
    if price is None:
        raise ConfigError(
            f"--max-cost needs the price of {model!r}; give it with --prices FILE, in YAML: "
            f"models: {{{model}: {{prompt: DOLLARS, completion: DOLLARS}}}}, per million tokens"
        )
