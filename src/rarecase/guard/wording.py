"""A certificate in plain words: what is promised, what is not, and what was refused."""

from collections.abc import Iterator

from rarecase.guard.certificate import Certificate, ClassCertificate
from rarecase.guard.numbers import percent

NEARLY = 0.9  # of the most alarms allowed: whose upper end is above it nearly failed


def explained(certificate: Certificate) -> Iterator[str]:
    """The lines of a certificate for people, one for each class first."""
    for name, of_class in certificate.classes.items():
        yield f"{name}: {explained_class(of_class, certificate.max_alarm)}"
    any_, rows = certificate.alarm_any, certificate.rows
    yield (
        f"harmless texts that any class flags: {percent(any_.rate)} ({percent(any_.low)} to {percent(any_.high)}), "
        "refused classes at their threshold without a certificate"
    )
    yield from _confidence(certificate)
    left = rows.drawn - rows.labelled
    unlabelled = f"; the {left:,} without a label count as missed for every class" if left else ""
    yield (
        f"It holds for texts like the {rows.drawn:,} that were drawn at random and labelled by people{unlabelled}, as "
        "this model scores them. It says nothing of texts from elsewhere or of later, or of one text."
    )
    if not rows.known:
        yield "The model does not say what it was trained on: whether it has learned from these rows was not checked."
    measured = ", ".join(f"{one.setting} {one.largest:.2g}" for one in certificate.differences)
    yield f"Each threshold is lowered by {certificate.margin:.2g}, the largest difference of a score in: {measured}."


def explained_class(found: ClassCertificate, max_alarm: float) -> str:
    """What is certified of a class, or why nothing is."""
    if found.threshold is None or found.alarm_rate is None:
        return f"refused, {found.refused}"
    alarm = found.alarm_rate
    nearly = f"; nearly refused, since {percent(max_alarm)} is the limit" if alarm.high > NEARLY * max_alarm else ""
    several = f", {found.windows.several} of them read in several windows" if found.windows.several else ""
    return (
        f"recall at least {int(1000 * found.bound) / 1000:g} at the threshold {found.threshold:.4f} (of "
        f"{found.positives:,} positives{several}, at most {found.misses:,} are missed); flags {percent(alarm.rate)} "
        f"of the texts that are not of it ({percent(alarm.low)} to {percent(alarm.high)}{nearly})"
    )


def _confidence(certificate: Certificate) -> Iterator[str]:
    """What the confidence means, and from the second use of the same rows on that it does not hold."""
    uses = certificate.rows.uses
    if uses > 1:
        yield (
            f"This is use {uses} of the same rows: the confidence of {percent(certificate.confidence)} no longer "
            "holds. Draw new rows for a certificate that does."
        )
        return
    wrong = percent(1 - certificate.confidence)
    yield (
        f"Confidence {percent(certificate.confidence)}: of all calibrations like this one, those that refuse a class "
        f"counted too, at most {wrong} state a recall that is too high, for any of the classes. Among those that pass "
        "the limit of alarms, and among those that nearly fail it above all, it can be more."
    )
    if uses == 0:
        yield "Every class was refused by the number of its rows, before a score was looked at: this counts as no use."
