"""Who decides about links, as keys of the command line: a planner, delegates who look ahead, or buyer and supplier."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from dlopt.choice.model import ModelError
from dlopt.choice.options import MethodOptions
from dlopt.choice.production.delegates.model import BARGAIN, Delegates
from dlopt.choice.production.model import NetworkEconomy

NOBODY = "none"


@dataclasses.dataclass(frozen=True)
class Forward:
    """Delegates who look ahead, each deciding about its own links.

    Attributes:
        own: how much a delegate cares for the price of its own good, against what consumers buy: from 0 to 1.
    """

    own: float = 1.0


@dataclasses.dataclass(frozen=True)
class Bargain:
    """Buyer and supplier bargain over each link, with transfers.

    Attributes:
        own: as for `Forward`.
        power: the buyer's share of what the link is worth to the two, from 0 to 1.
    """

    own: float = 1.0
    power: float = 0.5


def decided(model: NetworkEconomy, config: Mapping[str, Any], choices: Mapping[str, str]) -> NetworkEconomy:
    """The economy with those who decide by key `delegates`.

    Raises:
        ModelError: these numbers are not possible, or a box of parameters is asked for as well.
    """
    rule = choices.get("delegates", NOBODY)
    if rule == NOBODY:
        return model
    if config.get("parameters") is not None:
        raise ModelError("A box of parameters is for a planner: leave out parameters, or give delegates=none.")
    made = Delegates.of(model, rule=rule, **(config["delegates"] or {}))
    if choices["method"] != "exact":
        check_method(made, MethodOptions(**config["method"]))
    return made


def check_method(model: Delegates, options: MethodOptions) -> None:
    """Refuse methods that are not for delegates.

    Raises:
        ModelError: this is one.
    """
    if model.rule == BARGAIN:
        raise ModelError("Bargaining over links is solved exactly, for two or three sectors: give method=exact.")
    if options.loss == "paper" or options.baseline == "none":
        raise ModelError(
            f"Delegates are not solved with method.loss={options.loss} and method.baseline={options.baseline}. Use "
            "method=network (loss=hjb, baseline=meanfield or constant), or method=exact for two or three sectors."
        )
