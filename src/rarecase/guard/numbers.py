"""Numbers as they stand in messages to people."""

import math


def percent(share: float) -> str:
    """
    A share in percent, with two digits where it is small.

    Example:
        >>> [percent(share) for share in (0.034, 0.155, 0.0004, 1)]
        ['3.4 %', '16 %', '0.04 %', '100 %']
    """
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.2g} %"


def up(number: float) -> int:
    """
    A number of things that are needed, rounded up to two digits that count.

    Example:
        >>> [up(number) for number in (0.2, 77.4, 114, 2050, 2100)]
        [1, 78, 120, 2100, 2100]
    """
    whole = math.ceil(number)
    step = 10 ** max(len(str(whole)) - 2, 0)
    return -(-whole // step) * step


def down(share: float) -> str:
    """
    A share that is at least so large, with two digits.

    Example:
        >>> [down(share) for share in (0.8979, 0.607)]
        ['0.89', '0.60']
    """
    return f"{math.floor(100 * share) / 100:.2f}"
