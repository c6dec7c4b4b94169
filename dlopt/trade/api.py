"""The questions: what happens under given policies, what is best for one, for each, for all."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict, Unpack

import torch
from torch import Tensor

from dlopt.errors import DloptError, UnknownNameError
from dlopt.framework.best_response import BestResponse
from dlopt.framework.joint import JointNewton
from dlopt.framework.outcome import Outcome
from dlopt.framework.root import RootOptions
from dlopt.framework.tape import Tape
from dlopt.trade.accounting import Accounting, AccountingWord
from dlopt.trade.balance import balanced
from dlopt.trade.calibration import Calibration
from dlopt.trade.carbon import Carbon, CarbonTerms
from dlopt.trade.carbon_game import equilibrium_with_prices
from dlopt.trade.carbon_wedges import Charges
from dlopt.trade.certificate import EQUILIBRIUM_TOLERANCE, Certificate
from dlopt.trade.closure import Closure, Deficits, DeficitsWord
from dlopt.trade.equilibrium import find_equilibrium
from dlopt.trade.game import Objective, own_welfare
from dlopt.trade.instruments import (
    Bounds,
    InstrumentChoice,
    InstrumentError,
    Instruments,
    Limits,
    Partners,
    build_instruments,
    choices_of,
)
from dlopt.trade.model import MakeSolver, TradeModel
from dlopt.trade.planner import OBJECTIVES, Goal, planner_weights, ruined_in_words, weighted_welfare
from dlopt.trade.policy import Policy
from dlopt.trade.politics import Politics
from dlopt.trade.results import Move, Priced, SolveResult
from dlopt.trade.run import OnIteration, Run, iteration, trouble
from dlopt.trade.shocks import Shock, struck

Choice = InstrumentChoice | Instruments | Mapping[str, Any]
"""Which rates players choose: by kind and mode, as a mapping of the same, or built by `build_instruments`."""
Init = Literal["baseline", "random"] | Policy
"""Where play begins."""
Weights = Literal["income", "equal"] | Mapping[str, float]
"""Of the planner: by world income, equal, or by economy."""


class Extensions(TypedDict, total=False):
    """What else every solver takes, by keyword; what is left out changes nothing.

    Attributes:
        shocks: changes of trade costs, productivity and labour. All results are relative to the baseline before them.
        political_weights: of the income of each sector in what its government maximises, `[country, sector]`; ones are
            welfare (see `dlopt.trade.politics`).
        labour_supply: elasticity of labour to real wages after tax; 0 is fixed labour.
        revenue: net tax revenue is rebated `lump_sum`, or used to cut the tax on labour income (`income_tax`), which
            matters where labour is supplied elastically.
        carbon: emissions by economy and sector, the damage they do, and prices of carbon (see `dlopt.trade.carbon`).
    """

    shocks: Shock | None
    political_weights: Tensor | None
    labour_supply: float
    revenue: Literal["lump_sum", "income_tax"]
    carbon: Carbon | None


REVENUE = ("lump_sum", "income_tax")


class ObjectiveError(DloptError):
    """An objective that cannot be maximised."""


def build_model(
    calibration: Calibration, accounting: AccountingWord = "standard",
    deficits: DeficitsWord = "none", psi_scale: float = 1.0, linear_solver: MakeSolver | None = None,
    **extensions: Unpack[Extensions],
) -> TradeModel:  # fmt: skip
    """Balance the calibration and set up the model in changes.

    Args:
        calibration: baseline.
        accounting: `standard` or `paper` (see `Accounting`).
        deficits: `none`, `constant`, `share` of world income, or `proportional` to income (see `Deficits`).
        psi_scale: multiplies the scale elasticities.
        linear_solver: from a `Linearisation` of the equilibrium to what solves with its Jacobian, for example
            `dlopt.trade.krylov.KrylovFactors`; default: factors, or matrix-free for large worlds.
        extensions: see `Extensions`.

    Raises:
        BalanceError: no balanced baseline could be found.
        ShockError: a shock that cannot be, or after which there is no equilibrium.
        UnknownNameError: an unknown accounting or treatment of deficits.
    """
    for kind, value, valid in (("accounting", accounting, Accounting), ("deficits", deficits, Deficits)):
        if value not in [member.value for member in valid]:
            raise UnknownNameError(f"value of {kind}", value, [member.value for member in valid])
    baseline, transfer = balanced(calibration, accounting, deficits)
    model = TradeModel(baseline, accounting, psi_scale, transfer, given=calibration, linear_solver=linear_solver)
    for name in extensions:
        if name not in Extensions.__annotations__:
            raise TypeError(f"Unknown argument {name!r}. Known besides: {', '.join(Extensions.__annotations__)}.")
    return extended(model, deficits, extensions)


def extended(model: TradeModel, deficits: DeficitsWord, extensions: Extensions) -> TradeModel:
    """A model with what moves beside the base model's equations.

    Raises:
        DloptError: an elasticity that is none.
        UnknownNameError: an unknown use of revenue.
    """
    rule, elasticity = Deficits(deficits), extensions.get("labour_supply", 0.0)
    revenue = extensions.get("revenue", "lump_sum")
    if revenue not in REVENUE:
        raise UnknownNameError("value of revenue", revenue, REVENUE)
    if not 0 <= elasticity < math.inf:
        raise DloptError(f"labour_supply is {elasticity:g}: an elasticity is a finite number, 0 or more.")
    if elasticity or rule in (Deficits.SHARE, Deficits.PROPORTIONAL):
        ones = torch.ones_like(model.income)
        model.closure = Closure(
            rule, float(elasticity), revenue == "income_tax", model.transfer, model.income, model.value_added, ones
        )
    weights = extensions.get("political_weights")
    if weights is not None and bool((weights != 1).any()):
        model.politics = Politics.of(model, weights)
    carbon = extensions.get("carbon")
    if carbon is not None:
        model.carbon = CarbonTerms.of(model, carbon)
    model.extensions = {"deficits": deficits, **extensions}
    shock = extensions.get("shocks")
    return model if shock is None else struck(model, shock)


def solve_equilibrium(
    calibration: Calibration, policy: Policy | None = None, *, accounting: AccountingWord = "standard",
    deficits: DeficitsWord = "none", psi_scale: float = 1.0, tolerance: float | None = None,
    on_iteration: OnIteration | None = None, linear_solver: MakeSolver | None = None,
    **extensions: Unpack[Extensions],
) -> SolveResult:  # fmt: skip
    """The world under given policies (default: the baseline's own).

    Args:
        calibration: baseline; balanced first.
        policy: all rates, fractions.
        accounting: `standard` or `paper` (see `Accounting`).
        deficits: `none`, `constant`, `share` of world income, or `proportional` to income (see `Deficits`).
        psi_scale: multiplies the scale elasticities.
        tolerance: largest absolute log residual; default 1e-11, at most 1e-10 counts as converged.
        on_iteration: told once, at the end.
        linear_solver: see `build_model`.
        extensions: see `Extensions`.

    Raises:
        BalanceError, PolicyError, UnknownNameError: bad input.
    """
    started = time.perf_counter()
    model = build_model(calibration, accounting, deficits, psi_scale, linear_solver, **extensions)
    wedges = (policy or Policy.of(calibration)).log_wedges()
    options = RootOptions(tolerance=tolerance if tolerance is not None else RootOptions.tolerance)
    priced = None
    if model.carbon is not None and model.carbon.priced:
        priced = Priced(wedges, model.carbon.tax, model.carbon.border_tax)
        found = equilibrium_with_prices(model, Charges.of(model.carbon, wedges), options=options)
    else:
        found = find_equilibrium(model, wedges, options=options)
    certificate = Certificate(equilibrium_residual=found.residual, walras_residual=model.walras_residual(found.u))
    converged = found.outcome is Outcome.CONVERGED and found.residual <= EQUILIBRIUM_TOLERANCE
    step = iteration(model, 1, "newton", time.perf_counter() - started, None, None, model.log_welfare(found.u))
    stop = bool(on_iteration and on_iteration(step)) and not converged
    status = "converged" if converged else "interrupted" if stop else "not_converged"
    message = found.outcome.remedy if converged else f"{trouble(model, found.u)} {found.outcome.remedy}"
    return SolveResult(status, message, certificate, model, found.u, found.wedges, iterations=(step,), priced=priced)


def solve_unilateral(
    calibration: Calibration, player: str, *, instruments: Choice, partners: Partners = "all",
    bounds: Limits = Bounds(), accounting: AccountingWord = "standard", deficits: DeficitsWord = "none",
    psi_scale: float = 1.0, starts: int = 1, seed: int = 0, init: Init = "baseline", tolerance: float | None = None,
    on_iteration: OnIteration | None = None, tape: Tape | None = None, linear_solver: MakeSolver | None = None,
    **extensions: Unpack[Extensions],
) -> SolveResult:  # fmt: skip
    """The best policies of one economy while all others keep theirs (see `solve_nash` for the arguments).

    With a policy as `init` the others keep what it says: a response to an earlier result, or leaving a cooperation.
    """
    return solve_nash(
        calibration, players=(player,), instruments=instruments, partners=partners, bounds=bounds,
        accounting=accounting, deficits=deficits, psi_scale=psi_scale, starts=starts, seed=seed, init=init,
        tolerance=tolerance, on_iteration=on_iteration, tape=tape, linear_solver=linear_solver, **extensions,
    )  # fmt: skip


def solve_moves(
    calibration: Calibration, moves: Sequence[str], *, instruments: Choice, partners: Partners = "all",
    bounds: Limits = Bounds(),
    accounting: AccountingWord = "standard", deficits: DeficitsWord = "none", psi_scale: float = 1.0, starts: int = 1,
    seed: int = 0, init: Init = "baseline", tolerance: float | None = None, on_iteration: OnIteration | None = None,
    tape: Tape | None = None, linear_solver: MakeSolver | None = None,
    **extensions: Unpack[Extensions],
) -> SolveResult:  # fmt: skip
    """Economies move one after the other, each choosing what is best for itself and keeping it from then on.

    Args:
        moves: who moves, in order; an economy may move again.

    Returns:
        The state after the last move, with the welfare after every move in `moves`; certified if every move was.
        See `solve_nash` for the other arguments.
    """
    state, done, tape = init, [], tape or Tape()
    for player in moves:
        result = solve_unilateral(
            calibration, player, instruments=instruments, partners=partners, bounds=bounds, accounting=accounting,
            deficits=deficits, psi_scale=psi_scale, starts=starts, seed=seed, init=state, tolerance=tolerance,
            on_iteration=on_iteration, tape=tape, linear_solver=linear_solver, **extensions,
        )  # fmt: skip
        done.append(Move(player, result.status, result.real_income_change_pct))
        state = result.policy
        if result.priced is not None:
            given = extensions["carbon"]
            assert given is not None
            now = dataclasses.replace(given, tax=result.priced.tax, border_tax=result.priced.border_tax)
            extensions = {**extensions, "carbon": now}
        if result.status != "converged":
            break
    if not done:
        raise DloptError("moves is empty: name the economies that move, in order, such as [USA,CHN].")
    return dataclasses.replace(result, moves=tuple(done), goal=Goal("other"))


def solve_nash(
    calibration: Calibration, *, instruments: Choice, players: str | Sequence[str] = "all",
    partners: Partners = "all", unions: Sequence[Sequence[str]] = (), bounds: Limits = Bounds(),
    accounting: AccountingWord = "standard", deficits: DeficitsWord = "none", psi_scale: float = 1.0,
    solver: JointNewton | BestResponse = JointNewton(), starts: int = 1, seed: int = 0,
    init: Init = "baseline", tolerance: float | None = None, on_iteration: OnIteration | None = None,
    tape: Tape | None = None, objective: Objective | None = None, linear_solver: MakeSolver | None = None,
    **extensions: Unpack[Extensions],
) -> SolveResult:  # fmt: skip
    """Policies from which no player gains by deviating alone.

    Args:
        calibration: baseline; balanced first.
        instruments: which rates players choose: an `InstrumentChoice`, a mapping such as `{"tariff": "by_sector"}`,
            one of these for each economy by its label, such as `{"USA": {"tariff": "by_sector"}}` (who is left out
            does not play), or the map of every cell that `build_instruments` makes and that may be changed; such a map
            has players, partners, unions and bounds of its own.
        players: `all` or labels of economies; everybody else keeps its policies.
        partners: `all`; `players`: only tariffs and export taxes between the players move; or labels of economies: only
            those with them.
        unions: customs unions among the players: one external policy, none inside, joint welfare.
        bounds: of the rates; a mapping from economies to bounds where they differ.
        accounting: `standard` or `paper`.
        deficits: `none`, `constant`, `share` of world income, or `proportional` to income (see `Deficits`).
        psi_scale: multiplies the scale elasticities.
        solver: `JointNewton` (default) or `BestResponse` (Algorithm 1 of the paper).
        starts: random starts from which each player re-optimises alone; from 2 on, the whole game is also played
            from that many less one random starts, and every equilibrium found is listed.
        seed: of all random draws.
        init: `baseline`, `random`, or a policy: play begins there, and those who do not play keep it.
        tolerance: largest first-order residual; default 1e-8, more does not count as converged.
        on_iteration: called after every iteration.
        tape: records every step; one with the steps of a solve that was cut off makes this solve go on from there,
            to the same result to the last bit.
        objective: what players maximise instead of their own real income: from log welfare changes `[country]`, in the
            order of the calibration, to objectives `[player]`, twice differentiable in torch. Gains are then stated
            in 1/100 of its unit.
        linear_solver: see `build_model`.
        extensions: see `Extensions`.

    Raises:
        BalanceError, InstrumentError, NoEquilibriumError, ObjectiveError, UnknownNameError: bad input.
    """
    tape = tape or Tape()
    model = build_model(calibration, accounting, deficits, psi_scale, linear_solver, **extensions)
    chosen = _chosen(model, instruments, bounds, players, partners, unions)
    goal = own_welfare(model, chosen.members) if objective is None else _checked(objective, model, len(chosen.members))
    run = Run(model, chosen, starts, seed, init, tolerance, on_iteration, tape)
    result = run.solve(goal, solver)
    return result if objective is None else dataclasses.replace(result, goal=Goal("given", given=objective))


def solve_cooperative(
    calibration: Calibration, *, instruments: Choice, weights: Weights = "income",
    objective: Literal["welfare", "bargain"] | Objective = "welfare", no_losers: bool = False,
    bounds: Limits = Bounds(), accounting: AccountingWord = "standard", deficits: DeficitsWord = "none",
    psi_scale: float = 1.0, starts: int = 1, seed: int = 0, init: Init = "baseline", tolerance: float | None = None,
    on_iteration: OnIteration | None = None, tape: Tape | None = None, linear_solver: MakeSolver | None = None,
    **extensions: Unpack[Extensions],
) -> SolveResult:  # fmt: skip
    """The policies one planner would choose for all economies.

    Args:
        weights: `income` (shares in world income), `equal`, or a mapping from economies to weights. With `equal` a per
            cent of a small economy counts as much as one of a large economy, and a planner may ruin the large ones;
            the message says so where one loses more than `planner.RUIN_PCT`.
        objective: `welfare`, `sum_n weight_n W^_n` (equation 20), or `bargain`, Nash's product of the gains over
            the baseline, `sum_n weight_n log(W^_n - 1)`; or a function from log welfare changes `[country]` to one
            number `[1]`, twice differentiable in torch, which then stands for itself (no weights, `no_losers` not
            possible).
        no_losers: keep every economy at least at its baseline.

    Raises:
        NoBargainError: no policies from which everybody gains were found (`bargain` only).

    See `solve_nash` for the other arguments and errors.
    """
    tape = tape or Tape()
    if not callable(objective) and objective not in OBJECTIVES:
        raise UnknownNameError("value of objective", objective, OBJECTIVES)
    if callable(objective) and no_losers:
        raise ObjectiveError("no_losers is for weighted welfare: write the constraint into the objective, or leave it.")
    model = build_model(calibration, accounting, deficits, psi_scale, linear_solver, **extensions)
    chosen = _chosen(model, instruments, bounds)
    chosen = dataclasses.replace(chosen, owner=torch.zeros_like(chosen.owner))
    weight = planner_weights(model, weights)
    run = Run(model, chosen, starts, seed, init, tolerance, on_iteration, tape)
    if callable(objective):
        result, goal = run.solve(_checked(objective, model, 1), JointNewton()), Goal("given", given=objective)
    elif objective == "bargain":
        result, goal = run.bargain(weight), Goal("bargain", weights)
    elif no_losers:
        result, goal = run.protect(weight), Goal("other", weights)
    else:
        result, goal = run.solve(weighted_welfare(weight), JointNewton()), Goal("welfare", weights)
        result = dataclasses.replace(result, message=result.message + ruined_in_words(model, weights, result.u))
    return dataclasses.replace(result, goal=goal)


def _chosen(
    model: TradeModel, given: Choice, bounds: Limits, players: str | Sequence[str] = "all", partners: Partners = "all",
    unions: Sequence[Sequence[str]] = (),
) -> Instruments:  # fmt: skip
    """The map of every cell, built or given."""
    if not isinstance(given, Instruments):
        return build_instruments(model, choices_of(given), bounds, players, partners, unions)
    if (bounds, players, partners, tuple(unions)) != (Bounds(), "all", "all", ()):
        raise InstrumentError(
            "These instruments have players, partners, unions and bounds of their own: give them to build_instruments."
        )
    if given.tau.shape != model.trade.shape:
        raise InstrumentError(
            f"These instruments are of a world with {list(given.tau.shape)} flows; this one has "
            f"{list(model.trade.shape)}. Build them with the model of this world."
        )
    return given


def _checked(objective: Objective, model: TradeModel, players: int) -> Objective:
    """An objective of one's own, evaluated and differentiated once at the baseline."""
    welfare = torch.zeros(model.n, dtype=model.theta.dtype, requires_grad=True)
    values = objective(welfare)
    if not isinstance(values, torch.Tensor) or values.shape != (players,) or values.dtype != welfare.dtype:
        found = f"{values.dtype} {list(values.shape)}" if isinstance(values, torch.Tensor) else type(values).__name__
        raise ObjectiveError(
            f"The objective gives {found} at the baseline; it must give float64 [{players}], one number for "
            "every player."
        )
    if not values.requires_grad:
        raise ObjectiveError("The objective is not differentiable in welfare: compute it with torch from its argument.")
    if not bool(values.isfinite().all()):
        raise ObjectiveError(f"The objective is {values.tolist()} at the baseline; it must be finite there.")
    return objective
