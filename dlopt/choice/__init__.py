"""Dynamic discrete choice in continuous time: value functions over many switches, by networks and exactly.

from dlopt.choice import load_model, solve_bsde
result = solve_bsde(load_model("blocks"))
result.certificate, result.tables()["validation"]
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlopt.choice.analysis import impulse_response, long_run, out_of_sample, validation
    from dlopt.choice.box import Box, with_values
    from dlopt.choice.box_value import at_values, errors_across
    from dlopt.choice.certificate import Certificate, certify
    from dlopt.choice.checkpoint import CheckpointError, load_checkpoint, refuse_changes
    from dlopt.choice.effort import Choosing, EffortCost, PowerCost
    from dlopt.choice.enumeration import EnumeratedSolution
    from dlopt.choice.estimation.estimate import estimate
    from dlopt.choice.estimation.generate import simulate_panel
    from dlopt.choice.estimation.likelihood import SureCostsError
    from dlopt.choice.estimation.options import EstimateOptions
    from dlopt.choice.estimation.panel import Events, Panel, PanelError
    from dlopt.choice.estimation.panel_files import panel_tables, read_panel, write_panel
    from dlopt.choice.estimation.result import EstimateCertificate, EstimateResult
    from dlopt.choice.evaluation import Evaluation, hjb_residual
    from dlopt.choice.exporter.exact import ConstantAcceptance, exact_solution
    from dlopt.choice.exporter.folder import load_model, read_folder, write_folder
    from dlopt.choice.exporter.model import Exporter
    from dlopt.choice.exporter.presets import PRESETS, preset
    from dlopt.choice.exporter.traits import EXPORTER
    from dlopt.choice.folder_files import ModelFolderError
    from dlopt.choice.mean_field import MeanField
    from dlopt.choice.model import Model, ModelError, State, StateError, SwitchingModel
    from dlopt.choice.options import PAPER, AnalysisOptions, Budget, MethodOptions
    from dlopt.choice.own import ChoiceModel
    from dlopt.choice.production.delegates.assessing import DelegatesCertificate
    from dlopt.choice.production.delegates.model import Delegates
    from dlopt.choice.production.delegates.traits import DELEGATES
    from dlopt.choice.production.folder import load_network, read_network, write_network
    from dlopt.choice.production.model import NetworkEconomy
    from dlopt.choice.production.presets import NETWORK_PRESETS
    from dlopt.choice.production.traits import NETWORK
    from dlopt.choice.ranks import Ranks, RanksError, joined
    from dlopt.choice.result import BsdeResult, load_solution
    from dlopt.choice.solve import pick_device, solve_bsde, solve_exact, train_along
    from dlopt.choice.states import checked_states, evaluate_states, read_states
    from dlopt.choice.training import Progress, Watch
    from dlopt.choice.traits import Traits, check_exact, register, traits_of
    from dlopt.choice.value import ExactSolution, Solution, ValueFunction, build_value

__all__ = [
    "DELEGATES",
    "EXPORTER",
    "NETWORK",
    "NETWORK_PRESETS",
    "PAPER",
    "PRESETS",
    "AnalysisOptions",
    "Box",
    "BsdeResult",
    "Budget",
    "Certificate",
    "CheckpointError",
    "ChoiceModel",
    "Choosing",
    "ConstantAcceptance",
    "Delegates",
    "DelegatesCertificate",
    "EffortCost",
    "EnumeratedSolution",
    "EstimateCertificate",
    "EstimateOptions",
    "EstimateResult",
    "Evaluation",
    "Events",
    "ExactSolution",
    "Exporter",
    "MeanField",
    "MethodOptions",
    "Model",
    "ModelError",
    "ModelFolderError",
    "NetworkEconomy",
    "Panel",
    "PanelError",
    "PowerCost",
    "Progress",
    "Ranks",
    "RanksError",
    "Solution",
    "State",
    "StateError",
    "SureCostsError",
    "SwitchingModel",
    "Traits",
    "ValueFunction",
    "Watch",
    "at_values",
    "build_value",
    "certify",
    "check_exact",
    "checked_states",
    "errors_across",
    "estimate",
    "evaluate_states",
    "exact_solution",
    "hjb_residual",
    "impulse_response",
    "joined",
    "load_checkpoint",
    "load_model",
    "load_network",
    "load_solution",
    "long_run",
    "out_of_sample",
    "panel_tables",
    "pick_device",
    "preset",
    "read_folder",
    "read_network",
    "read_panel",
    "read_states",
    "refuse_changes",
    "register",
    "simulate_panel",
    "solve_bsde",
    "solve_exact",
    "train_along",
    "traits_of",
    "validation",
    "with_values",
    "write_folder",
    "write_network",
    "write_panel",
]

_MODULES = (
    "exporter.traits",
    "production.traits",
    "production.delegates.traits",
    "box",
    "box_value",
    "analysis",
    "certificate",
    "checkpoint",
    "effort",
    "enumeration",
    "estimation.estimate",
    "estimation.generate",
    "estimation.likelihood",
    "estimation.options",
    "estimation.panel",
    "estimation.panel_files",
    "estimation.result",
    "evaluation",
    "exporter.exact",
    "exporter.folder",
    "exporter.model",
    "exporter.presets",
    "folder_files",
    "mean_field",
    "model",
    "options",
    "own",
    "production.delegates.assessing",
    "production.delegates.model",
    "production.folder",
    "production.model",
    "production.presets",
    "ranks",
    "result",
    "solve",
    "states",
    "training",
    "traits",
    "value",
)
"""Where the names above are: they load on first use, so that the kinds of choice can be listed without torch. The
traits come first: with them the models of dlopt are known to whatever reads checkpoints."""


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in _MODULES:
            found = vars(importlib.import_module(f"dlopt.choice.{module}"))
            if name in found:
                globals()[name] = found[name]
                return found[name]
    raise AttributeError(f"module 'dlopt.choice' has no attribute {name!r}")
