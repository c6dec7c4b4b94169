"""What the solver must know of production networks."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from dlopt.choice.model import State
from dlopt.choice.options import AnalysisOptions
from dlopt.choice.production.analysis import decentralised, harmful_links, link_values, transition
from dlopt.choice.production.exact.grid import LARGEST, NetworkGridSolution
from dlopt.choice.production.model import NetworkDynamics, NetworkEconomy
from dlopt.choice.production.value import NETWORK_METHOD, ExactNetworkValue, build_network_value
from dlopt.choice.traits import Traits, drawn, register
from dlopt.choice.value import ExactlySolved, Solution


def _exact(model: NetworkEconomy) -> Callable[[NetworkDynamics], ExactlySolved] | None:
    return None if model.size > LARGEST else lambda dynamics: ExactNetworkValue(dynamics, NetworkGridSolution(model))


def _analyse(
    solution: Solution, dynamics: NetworkDynamics, resting: State, options: AnalysisOptions, seed: int
) -> dict[str, pd.DataFrame]:
    """A shock to one sector leaves what the grid covers when N = 3: an exact solution has `transition` for N = 2."""
    links = link_values(solution, dynamics, resting.rows(slice(0, options.paths)))
    frames = {"marginal_values": links, "harmful_links": harmful_links(links)}
    if not isinstance(solution, ExactNetworkValue) or dynamics.factors == dynamics.shocks:
        frames["transition"] = transition(solution, dynamics, resting, options, seed)
    frames["decentralised"] = decentralised(solution, dynamics, resting, options, seed + 1)
    return frames


NETWORK = register(
    Traits(
        name="network",
        model=NetworkEconomy,
        method=NETWORK_METHOD,
        analysis=AnalysisOptions(
            certificate_paths=64, out_of_sample=2000, paths=128, validation=2048, response_paths=128
        ),
        sample=256,
        build=build_network_value,
        exact=_exact,
        no_exact=f"it has more than {LARGEST} sectors",
        drawn=drawn,
        analyse=_analyse,
    )
)
