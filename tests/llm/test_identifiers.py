"""Identifiers: found in the formats that people write, put back exactly, and nothing else changed."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rarecase.llm.identifiers import Names, masked, refilled

IDENTIFIERS = {
    "EMAIL": (
        "maria@example.com",
        "Maria.Keller+spam_1@mail.example.co.uk",
        "mailto:maria@example.com",
        "maria@clinic.health",
        "maria (at) example (dot) com",
        "maria [at] example[.]org",
        "maria at example dot com",
    ),
    "PHONE": (
        "(202) 555-0143",
        "202.555.0143",
        "2025550143",
        "+1 202 555 0143",
        "1-800-555-0143",
        "202-555-0143 ext. 12",
        "020 7946 0143",
        "0491 570 156",
        "+44 7700 900143",
    ),
    "LINK": (
        "https://example.com/a_(b)?q=1#c",
        "http://192.0.2.1:8080/",
        "www.blue-falcon.store",
        "blue-falcon.co.uk",
        "redd.it/a8Xk2",
        "t.me/blue_falcon",
        "hxxps://example[.]com/a8",
        "bluefalcon dot com",
    ),
    "USER": (
        "@blue_falcon9",
        "@blue.falcon",
        "u/blue-falcon",
        "/u/blue_falcon",
        "bluefalcon#0143",
        "@falcon@social.example.org",
        "@falcon:example.org",
        "@bluefalcon.bsky.social",
    ),
}
EVERY = [(kind, identifier) for kind, identifiers in IDENTIFIERS.items() for identifier in identifiers]
# What looks like a placeholder or begins like an identifier, beside identifiers and any text.
PIECES = ["[EMAIL-1]", "[user 2]", "LINK_3", "[PHONE]", "[", "]", "-1]", "EMAIL-", "1", " ", ".", "@", "call 555-0143"]
TEXTS = st.lists(st.sampled_from([*PIECES, *(one for _, one in EVERY)]) | st.text(max_size=8), max_size=8).map("".join)


@pytest.mark.parametrize(("kind", "identifier"), EVERY)
@pytest.mark.parametrize(
    "sentence", ["{}", "My ex knows {}, what now?", "He ({}) wrote", "Is it {}?\nor not", '"{}".']
)
def test_an_identifier_becomes_a_placeholder_of_its_kind_and_comes_back(sentence, kind, identifier):
    text = sentence.format(identifier)
    hidden, names = masked(text)
    assert hidden == sentence.format(f"[{kind}-1]")
    assert refilled(hidden, names) == (text, ())


@pytest.mark.parametrize(
    "text",
    [
        "call 911, 988 or 112, text 741741",
        "$1,200 or 25,000.00 by 2023-11-05 at 10:30, not 11/05/2023",
        "32/f, M24, 5'11\", 140/90, 20 x 500 mg",
        "18 U.S.C. 1030, case#1234, order 114-3941689-8772232, ISBN 0-306-40615-2",
        "call it 500-1500 people, the number was 300-1200",
        "r/legaladvice and /r/AskDocs, and/or, e.g. this, i.e. that",
        "help.me please.it hurts...no one cares.so what",
        "report.pdf, readme.md, run.sh",
        "@everyone, I am @home from @5pm, 3 @ $5",
        "snap: it broke. the dot com bubble",
    ],
)
def test_what_only_looks_like_an_identifier_stays(text):
    assert masked(text) == (text, Names({}))


def test_an_identifier_has_one_placeholder_and_every_kind_its_own_numbers():
    hidden, names = masked("@maria wrote to tom@example.com, then to jo@example.com; tom@example.com told @maria.")
    assert hidden == "[USER-1] wrote to [EMAIL-1], then to [EMAIL-2]; [EMAIL-1] told [USER-1]."
    assert names.originals == {"[USER-1]": "@maria", "[EMAIL-1]": "tom@example.com", "[EMAIL-2]": "jo@example.com"}


def test_what_words_make_an_identifier_is_one_wherever_it_stands():
    hidden, _ = masked("555-0143 again. Call 555-0143? blue_99! My discord: blue_99")
    assert hidden == "[PHONE-1] again. Call [PHONE-1]? [USER-1]! My discord: [USER-1]"


@pytest.mark.parametrize(
    "written",
    ["[EMAIL-1]", "[email-1]", "[Email 1]", "[EMAIL_1]", "[EMAIL\u20111]", "[EMAIL1]", "[EMAIL-01]", "EMAIL-1"],
)
def test_a_placeholder_is_known_however_a_model_writes_it(written):
    _, names = masked("from tom@example.com")
    assert refilled(f"He ({written}) wrote", names) == ("He (tom@example.com) wrote", ())


def test_a_placeholder_that_stands_for_nothing_is_named_and_left():
    _, names = masked("from tom@example.com")
    reply = "[PHONE-3] or [EMAIL-2], [EMAIL-1], [phone-3], [PHONE-3] or [USER]"
    assert refilled(reply, names) == (
        "[PHONE-3] or [EMAIL-2], tom@example.com, [phone-3], [PHONE-3] or [USER]",
        ("[PHONE-3]", "[EMAIL-2]", "[phone-3]", "[USER]"),
    )


def test_a_placeholder_that_is_left_out_is_no_fault():
    _, names = masked("from tom@example.com, @tom")
    assert refilled("from [USER-1]", names) == ("from @tom", ())


def test_what_the_post_has_of_placeholders_is_told_from_ours():
    text = "He sent [EMAIL-1] and [email 1], not tom@example.com, EMAIL-2"
    hidden, names = masked(text)
    assert hidden == "He sent [EMAIL-1] and [EMAIL-2], not [EMAIL-3], [EMAIL-4]"
    assert refilled(hidden, names) == (text, ())


@given(TEXTS)
@example("EMAIL-1call 555-0143")
@example("[EMAIL-[USER-1]@a.bc1]")
@settings(max_examples=300, deadline=None)
def test_every_text_comes_back_as_it_was(text):
    hidden, names = masked(text)
    assert refilled(hidden, names) == (text, ())
    assert {*names.originals} == {*re.findall(r"\[[A-Z]+-[0-9]+\]", hidden)}


@given(st.lists(st.sampled_from(EVERY), min_size=1, max_size=5), st.sampled_from([", ", "; ", "\n", " and then "]))
@settings(max_examples=100, deadline=None)
def test_nothing_of_an_identifier_remains(found, between):
    hidden, names = masked(between.join(identifier for _, identifier in found))
    assert between.join(re.findall(r"\[[A-Z]+-[0-9]+\]", hidden)) == hidden
    assert {*names.originals.values()} == {identifier for _, identifier in found}


@given(st.sampled_from(EVERY), st.sampled_from(EVERY), st.sampled_from(["", ".", "/", "@", ", ", "\n"]))
@example(("USER", "/u/blue_falcon"), ("USER", "/u/blue_falcon"), "")
@settings(max_examples=100, deadline=None)
def test_what_is_masked_has_nothing_left_to_mask(one, other, between):
    hidden, _ = masked(f"{one[1]}{between}{other[1]}")
    assert masked(hidden)[0] == hidden
