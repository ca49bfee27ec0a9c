"""Numbers as they stand in messages to people."""


def percent(share: float) -> str:
    """
    A share in percent, with two digits where it is small.

    Example:
        >>> [percent(share) for share in (0.034, 0.155, 0.0004, 1)]
        ['3.4 %', '16 %', '0.04 %', '100 %']
    """
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.2g} %"


def some(number: float) -> str:
    """
    A number of two digits that count.

    Example:
        >>> some(766.7)
        '770'
    """
    return f"{float(f'{number:.2g}'):,.0f}"
