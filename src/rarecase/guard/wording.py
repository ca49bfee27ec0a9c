"""A certificate in plain words: what is promised, what is not, and what was refused."""

import math
from collections.abc import Iterator

from rarecase.guard.certificate import Certificate, ClassCertificate, Rate
from rarecase.guard.numbers import percent

NEARLY = 0.9  # of the most alarms allowed: whose upper end is above it nearly failed


def explained(certificate: Certificate) -> Iterator[str]:
    """The lines of a certificate for people, one for each class first."""
    for name, of_class in certificate.classes.items():
        yield f"{name}: {explained_class(of_class, certificate.max_alarm)}"
    for name in certificate.not_asked:
        yield f"{name}: not asked for, so nothing is promised; it keeps its old, uncertified threshold"
    if not certificate.certified:
        yield from _nothing(certificate)
        return
    if len(certificate.certified) < len(certificate.classes):
        yield "The refused classes keep their old, uncertified thresholds."
    yield from _alarms(certificate)
    yield from _confidence(certificate)
    rows = certificate.rows
    yield (
        f"It holds for the source that these {rows.drawn:,} rows were drawn from, if they were drawn at random and "
        "labelled by people, as was declared. It says nothing of texts from elsewhere or of later, or of one text."
    )
    if left := rows.drawn - rows.labelled:
        yield f"Rows without a label count as missed, for every class: {left:,} of these."
    if not rows.known:
        yield "The model does not say what it was trained on: whether it has learned from these rows was not checked."
    own = f"{certificate.backend} {certificate.dtype}"
    others = "".join(
        f", {one.setting} (scores differ by {one.largest:.2g} at most)" for one in certificate.differences
    )
    yield f"Each threshold is the lowest that any of these settings asks for: {own}{others}."


def explained_class(found: ClassCertificate, max_alarm: float) -> str:
    """What is certified of a class, or why nothing is."""
    if found.threshold is None or found.alarm_rate is None or found.alarm_harmless is None:
        return f"refused, {found.refused}"
    alarm = found.alarm_rate
    missed = f"{found.misses:,} or fewer of" if found.misses else "none of the"
    nearly = f"; nearly refused, since {percent(max_alarm)} is the limit" if alarm.high > NEARLY * max_alarm else ""
    several = f", {found.windows.several:,} of them read in several windows" if found.windows.several else ""
    harmless = (
        f", and {percent(found.alarm_harmless.rate)} of the harmless ones" if _known(found.alarm_harmless) else ""
    )
    return (
        f"recall at least {math.floor(1000 * found.bound) / 1000:g} at the threshold {found.threshold:.4g} (in the "
        f"sample {missed} {found.positives:,} score below it{several}); flags "
        f"{percent(alarm.rate)} of the texts that are not of it "
        f"({percent(alarm.low)} to {percent(alarm.high)}{nearly}){harmless}"
    )


def _known(rate: Rate) -> bool:
    """Whether there was a row to count."""
    return (rate.low, rate.high) != (0, 1)


def _nothing(certificate: Certificate) -> Iterator[str]:
    """Where every class is refused."""
    yield "Nothing is certified; every class keeps its old, uncertified threshold."
    if all(found.alarm_rate is None for found in certificate.classes.values()):
        yield "This does not count as a use of the rows: no score of a positive was used."
    else:
        yield "The rows are used now; another try needs new ones."


def _alarms(certificate: Certificate) -> Iterator[str]:
    """What all classes together flag of the harmless texts."""
    any_, alone = certificate.alarm_any, certificate.alarm_certified
    if not _known(any_):
        return
    flagged = f"Of 100 harmless texts {_of_100(any_)} are flagged by at least one class"
    if certificate.not_asked or len(certificate.certified) < len(certificate.classes):
        flagged += f"; by the certified classes alone {_of_100(alone)}"
    yield f"{flagged}."


def _of_100(rate: Rate) -> str:
    number, low, high = (percent(of).removesuffix(" %") for of in (rate.rate, rate.low, rate.high))
    return f"{number} ({low} to {high})"


def _confidence(certificate: Certificate) -> Iterator[str]:
    """What the confidence means, and from the second use of the same rows on that it does not hold."""
    uses = certificate.rows.uses
    if uses > 1:
        yield (
            f"This is use {uses} of the same rows: the confidence of {percent(certificate.confidence)} no longer "
            "holds. Draw new rows for a certificate that does."
        )
        return
    yield (
        "If the targets were fixed before: of all such calibrations, refusals counted, at most "
        f"{percent(1 - certificate.confidence)} state for at least one class a recall above the true one."
    )
    yield (
        "Of the certificates that are issued, more can be wrong, above all where the alarms are just below the limit."
    )
