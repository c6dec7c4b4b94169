"""Rates that are possible but hardly meant: 25 where 25 % was meant, which is 0.25."""

from __future__ import annotations

from dlopt.trade.calibration import Calibration
from dlopt.trade.instruments import Bounds
from dlopt.trade.policy import Policy
from dlopt.trade.rates import INSTRUMENTS

HIGH, LOW = 2.0, -0.5
"""Rates outside are pointed out."""
_REMEDY = "Rates are fractions: 25 % is 0.25."


def unusual_rates(calibration: Calibration, policy: Policy | None = None) -> list[str]:
    """A sentence for each instrument that has rates above 200 % or below -50 %.

    Args:
        calibration: gives the labels; its own rates are looked at where no policy is given.
        policy: only rates that differ from the calibration's are looked at.
    """
    found = []
    for kind in INSTRUMENTS:
        before = getattr(calibration, kind.name)
        rates = before if policy is None else getattr(policy, kind.name)
        odd = (rates > HIGH) | (rates < LOW)
        if policy is not None:
            odd &= (rates - before).abs() > 1e-12
        if not bool(odd.any()):
            continue
        cells = odd.nonzero()
        worst = tuple(int(k) for k in cells[rates[odd].abs().argmax()])
        whose = " on ".join(calibration.economies[k] for k in reversed(worst[:-1]))
        where = f"{whose}, {calibration.sector_names[worst[-1]]}"
        count = f"{len(cells)} rates" if len(cells) > 1 else "a rate"
        whence = f"The calibration {calibration.name} has" if policy is None else "Note:"
        found.append(
            f"{whence} {count} of {kind.plural} above 200 % or below -50 %, "
            f"such as {100 * float(rates[worst]):,.6g} % ({where}). {_REMEDY}"
        )
    return found


def unusual_bounds(bounds: Bounds) -> list[str]:
    """A sentence for each pair of bounds, other than the default, that admits rates above 200 % or below -50 %."""
    found = []
    for kind in INSTRUMENTS:
        pair = getattr(bounds, kind.name)
        if pair == getattr(Bounds(), kind.name) or (pair[0] >= LOW and pair[1] <= HIGH):
            continue
        low, high = (f"{100 * rate:,.6g} %" for rate in pair)
        found.append(f"Note: bounds.{kind.name} admits rates from {low} to {high}. {_REMEDY}")
    return found
