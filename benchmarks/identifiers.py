"""
What `rarecase.llm.identifiers` finds of 300 made-up identifiers, in ten formats of each kind, and how many harmless
sentences it changes, most of which hold what looks like an identifier. Exit code 1 where the recall of a kind is below
0.98 or more than 1 % of the harmless sentences change.

With `--published` it counts the published titles that change, by kind; it shows no text of theirs.

    python benchmarks/identifiers.py --published ../shared/published
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from rarecase.core.randomness import generator
from rarecase.data.read import Columns, read_table
from rarecase.llm.identifiers import Names, masked, refilled

EACH = 75  # identifiers of a kind
RECALL, DAMAGE = 0.98, 0.01
FIRST = ["maria", "jonas", "aisha", "tom", "wei", "olga", "diego", "priya", "sam"]
LAST = ["keller", "okafor", "tanaka", "lopez", "novak", "patel", "brown", "haddad", "moreau"]
WORDS = ["garden", "blue", "falcon", "river", "night", "paper", "copper", "maple", "signal"]
MAIL_HOSTS = [
    *("example.com", "example.org", "gmail.com", "yahoo.co.uk", "outlook.com", "proton.me", "hotmail.de", "web.de"),
    *("mail.example.edu", "students.uni-example.ac.uk", "some-clinic.health", "law-office.legal"),
]
HOSTS = [
    *("example.com", "example.org", "www.example.net", "blog.example.co.uk", "some-clinic.org", "my-lawyer.com"),
    *("old-forum.net", "news.example.com.au", "shop.example.de"),
]
# Of every kind; the last lacks a space after the full stop, as many posts do.
ANYWHERE = [
    "{}",
    "**{}** (edit: typo)",
    "it says:{}",
    "Who is this?{}",
    "both,{},no other",
    "I know {}.Please help",
]
SENTENCES = {
    "EMAIL": [
        "You can write to {} if you know a lawyer.",
        "My ex keeps mailing me from {}.",
        "Contact: {}, please no spam",
        "He (his address is {}) threatened me again",
        "{} is what the scammer used",
        'They told me to "email {}" and wait...',
        "Is {} a real address of the IRS?",
        "i sent it to {} and 2 days later nothing",
    ],
    "PHONE": [
        "Someone keeps calling me from {} at night.",
        "My number is {}, text me",
        "Call {}! I don't know what to do",
        "A bank ({}) wrote about a loan of $1,200",
        "please call {} if you have seen her",
        "They gave me the phone number {} and hung up.",
        "Is {} the number of a scammer?",
        "Reach me at {} after 5pm",
    ],
    "LINK": [
        "I found this: {} and it scares me",
        "Is {} a scam?",
        "Read {}.",
        "Someone posted my photos ({}) without asking",
        "{} says that I owe 300 dollars",
        'The site "{}" took my money',
        "see {}, the second paragraph",
        "It all began with {}\nand then it got worse",
    ],
    "USER": [
        "{} keeps sending me threats.",
        "It was {}, I am sure",
        "Does anybody know {}?",
        "I was scammed by {} last week",
        "Thanks to {} for the advice!",
        "My stalker ({}) is back",
        "someone called {} posted my address",
        "I told {}: stop it",
    ],
}


def _one(rng: np.random.Generator, choices: list[str]) -> str:
    return choices[rng.integers(len(choices))]


def _digits(rng: np.random.Generator, count: int) -> str:
    return "".join(map(str, rng.integers(10, size=count)))


def _handle(rng: np.random.Generator) -> str:
    return f"{_one(rng, WORDS)}_{_one(rng, LAST)}"


def _code(rng: np.random.Generator, count: int = 7) -> str:
    return "".join(rng.permutation([*"abcdefghkmnpqrstuvwxyzABCDEFGH23456789"])[:count])


def _area(rng: np.random.Generator) -> str:
    return _one(rng, ["202", "212", "305", "415", "503", "604", "617", "713", "808"])


# Of numbers, only those that are kept for films and tests: 555-01xx and their like.
Format = Callable[[np.random.Generator], str]
FORMATS: dict[str, dict[str, Format]] = {
    "EMAIL": {
        "plain": lambda r: f"{_one(r, FIRST)}@{_one(r, MAIL_HOSTS)}",
        "dots": lambda r: f"{_one(r, FIRST)}.{_one(r, LAST)}@{_one(r, MAIL_HOSTS)}",
        "digits": lambda r: f"{_one(r, FIRST)}{_digits(r, 4)}@{_one(r, MAIL_HOSTS)}",
        "plus": lambda r: f"{_one(r, LAST)}+{_one(r, WORDS)}@{_one(r, MAIL_HOSTS)}",
        "underscore, dash": lambda r: f"{_one(r, FIRST)}_{_one(r, LAST)}-{_digits(r, 2)}@{_one(r, MAIL_HOSTS)}",
        "capitals": lambda r: f"{_one(r, FIRST)}.{_one(r, LAST)}@{_one(r, MAIL_HOSTS)}".upper(),
        "mailto:": lambda r: f"mailto:{_one(r, FIRST)}@{_one(r, MAIL_HOSTS)}",
        "(at), (dot)": lambda r: f"{_one(r, FIRST)}(at){_one(r, WORDS)}-example(dot)com",
        "[at], [.]": lambda r: f"{_one(r, FIRST)} [at] {_one(r, WORDS)}[.]org",
        "at, dot": lambda r: f"{_one(r, FIRST)} at {_one(r, WORDS)} dot com",
    },
    "PHONE": {
        "(202) 555-0143": lambda r: f"({_area(r)}) 555-01{_digits(r, 2)}",
        "202-555-0143": lambda r: f"{_area(r)}-555-01{_digits(r, 2)}",
        "202.555.0143": lambda r: f"{_area(r)}.555.01{_digits(r, 2)}",
        "202 555 0143": lambda r: f"{_area(r)} 555 01{_digits(r, 2)}",
        "2025550143": lambda r: f"{_area(r)}55501{_digits(r, 2)}",
        "+1": lambda r: f"+1 {_area(r)} 555 01{_digits(r, 2)}",
        "1-800": lambda r: f"1-800-555-01{_digits(r, 2)}",
        "UK, Australia at home": lambda r: _one(
            r, [f"020 7946 0{_digits(r, 3)}", f"0161 496 0{_digits(r, 3)}", "0491 570 156", "0491 570 006"]
        ),
        "+44, +49, +61, +91": lambda r: _one(
            r, [f"+44 7700 900{_digits(r, 3)}", f"+49 30 23125 {_digits(r, 3)}", "+61491570156", "+91 98765 43210"]
        ),
        "555-0143": lambda r: f"555-01{_digits(r, 2)}",
    },
    "LINK": {
        "https": lambda r: f"https://{_one(r, HOSTS)}/{_one(r, WORDS)}",
        "http, port": lambda r: f"http://{_one(r, HOSTS)}:8080/{_one(r, WORDS)}/",
        "www": lambda r: f"www.{_one(r, WORDS)}-{_one(r, WORDS)}.{_one(r, ['com', 'org', 'co.uk', 'store', 'help'])}",
        "host alone": lambda r: f"{_one(r, WORDS)}{_one(r, WORDS)}.{_one(r, ['com', 'org', 'co.uk', 'io', 'ca'])}",
        "host, path": lambda r: f"{_one(r, WORDS)}-{_one(r, LAST)}.com/{_one(r, WORDS)}/{_digits(r, 5)}",
        "query, fragment": lambda r: f"https://{_one(r, HOSTS)}/watch?v={_code(r)}&t=3s#{_one(r, WORDS)}",
        "brackets in it": lambda r: f"https://en.example.org/wiki/{_one(r, WORDS)}_({_one(r, WORDS)})",
        "short": lambda r: _one(r, ["bit.ly/", "youtu.be/", "redd.it/", "discord.gg/", "t.me/"]) + _code(r),
        "hxxps, [.]": lambda r: f"hxxps://{_one(r, WORDS)}[.]example[.]com/{_code(r)}",
        "dot": lambda r: f"{_one(r, WORDS)}{_one(r, LAST)} dot com",
    },
    "USER": {
        "@name": lambda r: f"@{_one(r, FIRST)}{_one(r, LAST)}",
        "@name_99": lambda r: f"@{_handle(r)}{_digits(r, 2)}",
        "@na.me": lambda r: f"@{_one(r, FIRST)}.{_one(r, LAST)}",
        "u/name": lambda r: f"u/{_handle(r)}",
        "/u/name-99": lambda r: f"/u/{_one(r, WORDS)}-{_one(r, LAST)}-{_digits(r, 4)}",
        "name#1234": lambda r: f"{_one(r, WORDS)}{_one(r, FIRST)}#{_digits(r, 4)}",
        "Mastodon": lambda r: f"@{_one(r, FIRST)}@{_one(r, WORDS)}.example.social",
        "Bluesky": lambda r: f"@{_one(r, FIRST)}{_one(r, LAST)}.bsky.social",
        "Matrix": lambda r: f"@{_one(r, FIRST)}:matrix.example.org",
        "discord: name_99": lambda r: f"{_handle(r)}{_digits(r, 2)}",
    },
}
BEFORE = {"555-0143": "Call ", "discord: name_99": "discord: "}  # what must be before an identifier that has no sign

HARMLESS = {
    "short numbers": """
        Should I call 911 or drive her to the ER myself?
        I called 988 last night and nobody picked up
        In Europe you dial 112, is that right?
        Text HOME to 741741 they said
        Samaritans are on 116 123, free day and night
        My landlord says call 311, the police says call 911
        Poison control? 999? 000? Which one do I call from abroad
        Lifeline is 13 11 14 in Australia
        the 401k and the 529 plan are with the same bank
        dial 9 for an outside line, then 0""",
    "prices": """
        They want $1,200 by Friday or they sue
        I owe 25,000.00 in student loans
        A deposit of €1.250,50 and £300 rent
        I make 85k, she makes 120k, debt is 350-400k
        The bill was $12,345,678.90 which is absurd
        Is $500-1000 a month enough for food?
        he offered me 1 000 000 for the land
        Paid 4x $249.99, got refunded +20 000 000 points
        My credit score went from 555 to 720
        they cut my pay from 2500 to 1750""",
    "dates and times": """
        The accident was on 2023-11-05 at 10:30
        Hearing on 11/05/2023, 9:15am, room 204
        Since 05.11.2023 I feel numb
        from 1999-2004 I was in the army
        2020-2021 was the worst year
        20231105 is the date on the form
        It started 11/5 and ended 12/24/22 10:45pm
        2023-11-05T10:30:00Z says the log
        meet me @5pm, or @ 10:30
        open 9-5, Mon-Fri, closed 24/12
        Nov 5th 2023 08:00-16:30 shift""",
    "ages and bodies": """
        32/f here, chest pain since yesterday
        M24, F23, together for 3 years
        [25M] [24F] what do I do
        I'm 5'11" and 180lbs, bp 140/90
        78yo, 6 ft 2, 102.5 degrees
        My baby is 3.5 kg and 51-53 cm
        heart rate 120-140 bpm at rest
        27 y/o male, 5 10, 210 lb
        HbA1c 7.2, LDL 160 mg/dL, TSH 0.45
        my (34F) husband (36M) and our 2 kids (5, 7)""",
    "dosages": """
        Is 50mg of sertraline twice a day too much?
        I took 20 x 500 mg, what now
        from 0.25mg to 1.0mg 2x/day
        Tylenol 3000-4000 mg a day with wine?
        800-1200 calories per day
        10ml/kg/h, that is 700-1000 ml
        lab: 4500-11000 normal, mine 12300
        Vitamin D 5000 IU, B12 1000 mcg""",
    "law and case numbers": """
        What does 18 U.S.C. 1030 mean for me
        Section 8 and 24 CFR 982.310(d)
        case no. 2:19-cv-01234-ABC was dismissed
        Docket 23-1234, judge says no
        Case#1234 and Ticket #5678 are still open
        Cal. Civ. Code § 1950.5 on deposits
        Form W-2, 1099-NEC, 1040-ES: which one
        My claim number is 00-1234567-89
        art. 6(1)(f) of 2016/679 applies
        Smith v. Jones, 123 F.3d 456 (9th Cir. 1999)
        Order 114-3941689-8772232 never came
        apt#1204, unit#3301, invoice#2044""",
    "numbers of other things": """
        my version is 3.11.2, it asks for 10.0.19045.3693
        Pi is 3.14159265358979
        ISBN 0-306-40615-2 is a good book
        a ratio of 1.618:1, or 3.5 of 5
        tracking 9400 1118 9922 3100 0012 34 shows nothing
        scored 98-102 and 3-1, 3 - 1
        room 555, floor 12, bus 1234
        +1 to what he said, 10/10 would do
        80/20 rule, 50-50 split, 24/7 pain
        model 2019 F-150 with 123,456 miles
        IP rating 67, 1920x1080 @60hz
        coordinates 52.5200, 13.4050
        call it 500-1500 people in the crowd
        the number of deaths was 250 2019 and 300 2020""",
    "full stops without a space": """
        I can't do this anymore.please help
        wait...what happened then
        He left.So I called her.In the end nothing
        I need help.me and my dog are homeless
        stop.it hurts.no one cares.to be honest
        i was at work.my boss came in.at noon
        no more.is this normal?am I sick
        Help.Please.Anyone
        she said no.he said yes.be careful
        lost my job.us too.so what
        call me.or don't.as you like
        pain in chest.left arm too.do I go
        I tried everything.no luck.am tired""",
    "abbreviations": """
        e.g. a lawyer, i.e. someone who knows
        He got a Ph.D. in the U.S., she an M.B.A.
        a.k.a. the worst day, p.s. thanks, etc.
        and/or, w/o, w/ my kids, n/a, s/he
        U.S./Canada border, D.C./Virginia
        a.m./p.m., b/c, y/n, 6/10
        vs. them, approx. 3 hrs., no. 5
        Dr. Who, Mr.Smith, St.Louis, J.K.Rowling
        R.I.P. my friend, OK? ok...ok
        St. Mary's at 5 p.m., bldg. 7""",
    "files and programs": """
        I lost report.pdf and notes.docx
        see readme.md, run.sh and main.py
        photo.jpg, IMG_2034.HEIC, data.zip
        node.js, asp.net core, vue.js
        tax2022.xlsx is password protected
        C:\\Users\\me\\file.txt is gone
        /etc/hosts and ~/.bashrc, /usr/local/bin
        v1.2.3-rc1 of setup.exe
        budget_2023.csv has the numbers""",
    "communities and signs": """
        I posted in r/legaladvice and /r/AskDocs first
        r/personalfinance said invest, r/frugal said save
        #help #me #2023 #metoo
        I'm @home, she's @ work
        @everyone @here please read
        AT&T, R&B, Q&A, 3 @ $5 each
        C# and F#, A# minor
        #1 rule, item #1234, room # 2034
        me + you = <3, :-) :@ ^_^
        I was at home, he was at work dot dot dot
        the dot com bubble, a dot com company
        -> him/her, they/them, he/him
        snap: it broke, discord: all day
        my insta is gone, twitter is down
        Venmo: send 20, Telegram: the new one
        ~~gone~~ **bold** [link] (edit) [removed]
        the handle is broken, username is taken
        us/them, you/me, to/from, w/u/me""",
    "plain words": """
        My neighbor threatens me every day and the police does nothing
        How do I tell my parents that I failed
        Can I eat rice that was out all night
        Should I pay off my loan now or later?
        I look at the ceiling and cannot sleep
        Is it legal to record a call at work
        We met at noon at the station
        Nobody would miss me at all
        can you get sued for a bad review
        what to put in a bag for an earthquake""",
}


def sentence(kind: str, form: str, identifier: str, rng: np.random.Generator) -> str:
    """A sentence that holds the identifier."""
    return _one(rng, SENTENCES[kind] + ANYWHERE).format(BEFORE.get(form, "") + identifier)


def _kind(placeholder: str) -> str:
    return placeholder[1:].partition("-")[0]


def measure(kind: str, seed: int) -> float:
    """Prints what is found of a kind, by format; gives the recall."""
    formats = FORMATS[kind]
    drawn = [[*formats][i % len(formats)] for i in range(EACH)]
    found: Counter[str] = Counter()
    exact = placeholders = 0
    for i, form in enumerate(drawn):
        rng = generator(seed, kind, i)
        identifier = formats[form](rng)
        text = sentence(kind, form, identifier, rng)
        hidden, names = masked(text)
        assert refilled(hidden, names) == (text, ())
        found[form] += any(identifier in original for original in names.originals.values())
        exact += (kind, identifier) in {(_kind(key), original) for key, original in names.originals.items()}
        placeholders += len(names.originals)
    recall = found.total() / EACH
    print(
        f"{kind}: recall {recall:.3f}; {exact} of {placeholders} placeholders are of this kind and cover nothing else"
    )
    for form, count in Counter(drawn).items():
        print(f"    {found[form]}/{count} {form}")
    return recall


def damage() -> float:
    """Prints how many harmless sentences change, by what they hold; gives the share."""
    print("harmless sentences changed:")
    changed = total = 0
    for what, block in HARMLESS.items():
        lines = [line.strip() for line in block.strip().splitlines()]
        hit = [line for line in lines if masked(line)[0] != line]
        print(f"    {len(hit)}/{len(lines)} {what}", *hit, sep="\n        ")
        changed, total = changed + len(hit), total + len(lines)
    print(f"    {changed}/{total} together ({changed / total:.1%})")
    return changed / total


def published(folder: Path) -> None:
    """Prints how many of the published titles change, by kind."""
    columns = Columns(text="title", label="category")
    files = [folder / f"{name}_labeled.tsv" for name in ("bootstrap", "dev", "test")]
    texts = [t for file in files for t in read_table(file, split="train", columns=columns, labeled=True)["text"][:]]
    begin = time.perf_counter()
    found: list[Names] = [masked(text)[1] for text in texts]
    seconds = time.perf_counter() - begin
    kinds = Counter(kind for names in found for kind in {_kind(key) for key in names.originals})
    print(f"published titles changed: {sum(bool(n.originals) for n in found)} of {len(texts):,} {dict(kinds)}")
    print(f"    {seconds / len(texts) * 1000:.2f} ms a title")


def main() -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--published", type=Path, help="folder of the published TSV files")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    recalls = [measure(kind, arguments.seed) for kind in FORMATS]
    changed = damage()
    if arguments.published:
        published(arguments.published)
    return 0 if min(recalls) >= RECALL and changed <= DAMAGE else 1


if __name__ == "__main__":
    sys.exit(main())
