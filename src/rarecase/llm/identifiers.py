"""
Identifiers out of a text that leaves this machine: e-mail addresses, phone numbers, links and user names.

Each becomes a placeholder that says what it stands for, such as `[EMAIL-1]`, and comes back in what a language model
writes. Names of people, addresses, account and case numbers stay as they are, and so do communities (`r/legaladvice`)
and the short numbers that a label may rest on (911, 988, 112).

linkify-it-py finds links, phonenumbers (Google's metadata of the numbering plans) phone numbers. Our own rules find
e-mail addresses, hosts alone (`example.com`) and what is hidden (`example[.]com`): by linkify-it-py alone 64 % of the
addresses and 80 % of the links of `benchmarks/identifiers.py` are found, and 9 % of its harmless sentences change. No
library that is kept knows user names.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from linkify_it import LinkifyIt
from phonenumbers import Leniency, PhoneNumberMatcher

_DASH = "[\\-\u2010-\u2015]"
# Also what models make of placeholders: another case, a space or an underscore for the dash; in capitals, no brackets
# or no number. Nothing around it may count: a text would become a placeholder once its neighbour is replaced, and the
# way back would fail.
_PLACEHOLDER = re.compile(
    rf"\[(?i:(EMAIL|PHONE|LINK|USER))(?:\s|_|{_DASH})?([0-9]{{1,6}})\]"
    rf"|(EMAIL|PHONE|LINK|USER)(?:_|{_DASH})([0-9]{{1,6}})"
    r"|\[(EMAIL|PHONE|LINK|USER)\]"
)

# Endings of a host that has neither http:// nor a path. None is an English word or ends the name of a file: a missing
# space after a full stop would make a link of them (help.me), and so would readme.md.
_ENDINGS = "ai app au biz ca ch co com de dev edu eu fr gg gov ie info io jp net nl nz onion org ru se uk xyz za"
_LINKIFY_LACKS = "app blog chat club dev live onion online page shop site social space store tech wiki xyz"
_SCHEMES = ("hxxp:", "hxxps:", "tg:", "discord:", "steam:", "whatsapp:")

_NAME = r"(?<![\w.+%-])[\w.+%-]{1,64}"
_LABEL = r"[\w-]{1,63}"
_HIDDEN_AT = r"(?:\s{0,3}[\[({<]\s?(?:@|at)\s?[\])}>]\s{0,3}|\s{0,3}@\s{1,3}|\s{1,3}@)"  # (at)
_HIDDEN_DOT = r"(?:\s{0,3}[\[({]\s?(?:\.|dot)\s?[\])}]\s{0,3}|\s{1,3}dot\s{1,3})"  # [.]
_HOST = rf"{_LABEL}(?:(?:\.|{_HIDDEN_DOT}){_LABEL}){{0,4}}"
_ENDING = f"(?:{'|'.join(_ENDINGS.split())})"
_EMAIL = re.compile(rf"{_NAME}@{_LABEL}(?:\.{_LABEL}){{1,5}}")
_HIDDEN_EMAIL = re.compile(
    rf"{_NAME}(?:(?:@|{_HIDDEN_AT}){_HOST}(?:\.|{_HIDDEN_DOT})|\s{{1,3}}at\s{{1,3}}{_HOST}{_HIDDEN_DOT})"
    rf"(?:{_ENDING}|me)(?!\w)",
    re.I,
)
_WWW = re.compile(r"(?<!\w)www\.[^\s<>\"]*[\w/]", re.I)
_BARE_LINK = re.compile(
    rf"(?<![\w.])(?!(?:the|a|of)\b){_HOST}(?:\.{_ENDING}|{_HIDDEN_DOT}(?:{_ENDING}|me)|\.[a-z]{{2}}(?=/\w*(?-i:[A-Z0-9_])))"
    r"(?!\w)(?:[:/][\w./?=&%#-]*\w)?",
    re.I,
)

# Plans whose numbers are found as they are dialled at home (that of the US is Canada's, too); those of others, from
# their `+` on. An ISBN is a number of Australia, unless the digits must be grouped as they are there.
_PLANS = (("US", Leniency.VALID), ("GB", Leniency.VALID), ("AU", Leniency.STRICT_GROUPING))
_FEWEST_DIGITS = 7
_AMOUNT = re.compile(r"\+[0-9]{1,3}(?:[ ,.][0-9]{3})+")  # +20 000 000
_OPENED = re.compile(r"[(\[（［][^)\]）］]*$")
_LOCAL_PHONE = re.compile(rf"(?<![\w$-])[2-9][0-9]{{2}}(?: |{_DASH})(?![1-9][0-9]00)[0-9]{{4}}(?![\w-]|[.,][0-9])")
_BEFORE_PHONE = re.compile(
    r"\b(?:(?:call|text|phone|cell|mobile|tel|dial|ring|fax|reach|whatsapp|contact)[a-z]{0,3}\b[^!?\n0-9]{0,30}"
    r"|number(?: is| was)?[: ]{1,2})$",
    re.I,
)

_USER = re.compile(
    # @name, @user@host of Mastodon, @user:host of Matrix; not @5pm
    r"(?<![\w@])@(?![0-9]+[a-z%]{0,3}\b)\w(?:[\w.-]{0,62}\w)?"
    r"(?:@\w(?:[\w.-]{0,62}\w)?|:[\w-]{1,63}(?:\.[\w-]{1,63}){1,5})*"
    r"|(?<![\w/])/?[uU]/[\w-]{3,20}|(?<![\w/])/user/[\w-]{3,20}(?![\w/-])"
    r"|(?<![\w.])(?=[\w.]*[^\W\d])[\w.]{2,32}#[0-9]{4}(?![\w-])"
)
_NO_USER = re.compile(
    r"@(?:all|channel|everyone|here|home|least|me|my|night|school|the|work)"
    r"|(?:account|apt|bus|case|check|claim|docket|file|flight|invoice|issue|lot|no|number|order|policy|ref|report|room"
    r"|suite|ticket|unit)#[0-9]{4}",
    re.I,
)
# A name without a sign of its own, which no word looks like, if it stands after the name of a place for names.
_BARE_USER = re.compile(r"(?<![\w.@#/-])[a-z_](?=[\w.-]{0,30}[0-9_])[\w.-]{2,30}\w(?![\w@])", re.I)
_BEFORE_USER = re.compile(
    r"\b(?:discord|snap(?:chat)?|insta(?:gram)?|ig|kik|telegram|tiktok|twitter|skype|steam|psn|xbox|venmo|gamertag"
    r"|user ?name|handle)(?: (?:id|name|user|handle|tag))?(?:\s?[:=]\s?| is | )$",
    re.I,
)
_LEAD = 48  # characters before an identifier that decide
_PASSES = 4  # over a text in which identifiers stand close together


class _Span(NamedTuple):
    """Where an identifier is, and of which kind."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True)
class Names:
    """What the placeholders of one text stand for; a function of the text alone, so it need not be kept."""

    originals: dict[str, str]  # of `[EMAIL-1]` and the like


class Refilled(NamedTuple):
    """A text with its identifiers back, and the placeholders that stand for none: the model made them up."""

    text: str
    unknown: tuple[str, ...] = ()


def masked(text: str) -> tuple[str, Names]:
    """
    A text with placeholders for its identifiers, and what they stand for.

    An identifier has one placeholder, however often it is in the text. What looks like a placeholder already is
    replaced too, so that every one in the masked text is ours.

    Example:
        >>> text, names = masked("My boss (@big_boss) wrote me from boss@example.com, see [LINK-7]")
        >>> text
        'My boss ([USER-1]) wrote me from [EMAIL-1], see [LINK-1]'
        >>> refilled("He signs as [USER-1]: [email 1]", names).text
        'He signs as @big_boss: boss@example.com'
    """
    placeholders: dict[tuple[str, str], str] = {}  # of kind and identifier
    counts = dict.fromkeys(("EMAIL", "PHONE", "LINK", "USER"), 0)
    parts, end = [], 0
    for span in _identifiers(text):
        key = span.kind, text[span.start : span.end]
        if key not in placeholders:
            counts[span.kind] += 1
            placeholders[key] = _placeholder(span.kind, counts[span.kind])
        parts += [text[end : span.start], placeholders[key]]
        end = span.end
    names = Names({placeholder: original for (_, original), placeholder in placeholders.items()})
    return "".join([*parts, text[end:]]), names


def refilled(text: str, names: Names) -> Refilled:
    """
    What a model wrote to a masked text, with the identifiers in place of their placeholders.

    Example:
        >>> refilled("Call [PHONE-3]", Names({}))
        Refilled(text='Call [PHONE-3]', unknown=('[PHONE-3]',))
    """
    unknown: dict[str, None] = {}

    def original(found: re.Match[str]) -> str:
        placeholder = _placeholder(_kind(found), int(found[2] or found[4] or 0))
        if (identifier := names.originals.get(placeholder)) is not None:
            return identifier
        unknown[found[0]] = None
        return found[0]

    return Refilled(_PLACEHOLDER.sub(original, text), tuple(unknown))


def _placeholder(kind: str, number: int) -> str:
    return f"[{kind}-{number}]"


def _kind(found: re.Match[str]) -> str:
    return (found[1] or found[3] or found[5]).upper()


def _identifiers(text: str) -> list[_Span]:
    """Where the identifiers are, in order; what only stood close to one is found once that is gone."""
    spans: list[_Span] = []
    for _ in range(_PASSES):
        if not (found := _joined([*_typed(text), *_emails(text), *_links(text), *_users(text), *_phones(text)])):
            break
        spans += found
        letters = list(text)
        for start, end, _ in found:
            letters[start:end] = ">" * (end - start)  # a sign that no identifier has
        text = "".join(letters)
    return sorted(spans)


def _joined(found: list[_Span]) -> list[_Span]:
    """Those that overlap as one, of the kind of the first and longest."""
    spans: list[_Span] = []
    for span in sorted(found, key=lambda span: (span.start, -span.end)):
        if spans and span.start < spans[-1].end:
            spans[-1] = spans[-1]._replace(end=max(spans[-1].end, span.end))
        else:
            spans.append(span)
    return spans


def _typed(text: str) -> Iterator[_Span]:
    """What looks like a placeholder."""
    for found in _PLACEHOLDER.finditer(text):
        yield _Span(*found.span(), _kind(found))


def _emails(text: str) -> Iterator[_Span]:
    for pattern in (_EMAIL, _HIDDEN_EMAIL):
        for found in pattern.finditer(text):
            yield _Span(*found.span(), "EMAIL")


def _links(text: str) -> Iterator[_Span]:
    for link in _linkify().match(text) or ():
        if link.schema or re.search("[/?#:]", link.raw):  # of hosts alone it misses many, and takes words for some
            yield _Span(link.index, link.last_index, "EMAIL" if link.schema == "mailto:" else "LINK")
    for pattern in (_WWW, _BARE_LINK):
        for found in pattern.finditer(text):
            yield _Span(*found.span(), "LINK")


@cache
def _linkify() -> LinkifyIt:
    """The one matcher; since 2.1 it keeps nothing of a text, so that threads may share it."""
    links = LinkifyIt(options={"fuzzy_link": True, "fuzzy_email": False, "fuzzy_ip": False})
    for scheme in _SCHEMES:
        links.add(scheme, "http:")
    return links.tlds(_LINKIFY_LACKS.split(), keep_old=True)


def _users(text: str) -> Iterator[_Span]:
    for found in _USER.finditer(text):
        if not _NO_USER.fullmatch(found[0]):
            yield _Span(*found.span(), "USER")
    yield from _led(text, _BEFORE_USER, _BARE_USER, "USER")


def _phones(text: str) -> Iterator[_Span]:
    for region, leniency in _PLANS:
        yield from (_Span(*at, "PHONE") for at in _numbers(text, region, leniency))
    # Metadata lag behind new ranges of numbers, so that one with a `+` need not be in them.
    for start, end in _numbers(text, None, Leniency.POSSIBLE):
        if not _AMOUNT.fullmatch(text, start, end):
            yield _Span(start, end, "PHONE")
    yield from _led(text, _BEFORE_PHONE, _LOCAL_PHONE, "PHONE")


def _numbers(text: str, region: str | None, leniency: int) -> Iterator[tuple[int, int]]:
    for number in PhoneNumberMatcher(text, region, leniency=leniency):
        if sum(map(str.isdigit, number.raw_string)) >= _FEWEST_DIGITS:
            around = _OPENED.match(number.raw_string) is not None  # a bracket of the sentence
            yield number.start + around, number.end


def _led(text: str, lead: re.Pattern[str], shape: re.Pattern[str], kind: str) -> Iterator[_Span]:
    """What has the shape of an identifier and once, at least, the words before it."""
    found = [*shape.finditer(text)]
    named = {one[0] for one in found if lead.search(text[max(0, one.start() - _LEAD) : one.start()])}
    return (_Span(*one.span(), kind) for one in found if one[0] in named)
