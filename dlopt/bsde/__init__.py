"""Dynamic discrete choice in continuous time: value functions over many switches, by networks and exactly.

from dlopt.bsde import load_model, solve_bsde
result = solve_bsde(load_model("blocks"))
result.certificate, result.tables()["validation"]
"""

from dlopt.bsde.analysis import impulse_response, long_run, out_of_sample, validation
from dlopt.bsde.certificate import Certificate, certify
from dlopt.bsde.checkpoint import CheckpointError, load_checkpoint, refuse_changes
from dlopt.bsde.evaluation import Evaluation, hjb_residual
from dlopt.bsde.exact import ConstantAcceptance, ExactSolution, exact_solution
from dlopt.bsde.exporter import Exporter
from dlopt.bsde.folder import load_model, read_folder, write_folder
from dlopt.bsde.folder_files import ModelFolderError
from dlopt.bsde.kinds import check_exact
from dlopt.bsde.model import ModelError, State, StateError, SwitchingModel
from dlopt.bsde.network_economy import NetworkEconomy
from dlopt.bsde.network_folder import load_network, read_network, write_network
from dlopt.bsde.network_presets import NETWORK_PRESETS
from dlopt.bsde.options import PAPER, AnalysisOptions, Budget, MethodOptions
from dlopt.bsde.presets import PRESETS, preset
from dlopt.bsde.ranks import Ranks, RanksError, joined
from dlopt.bsde.result import BsdeResult, load_solution
from dlopt.bsde.solve import pick_device, solve_bsde, solve_exact, train_along
from dlopt.bsde.states import checked_states, evaluate_states, read_states
from dlopt.bsde.training import Progress, Watch
from dlopt.bsde.value import Solution, ValueFunction

__all__ = [
    "NETWORK_PRESETS",
    "PAPER",
    "PRESETS",
    "AnalysisOptions",
    "BsdeResult",
    "Budget",
    "Certificate",
    "CheckpointError",
    "ConstantAcceptance",
    "Evaluation",
    "ExactSolution",
    "Exporter",
    "MethodOptions",
    "ModelError",
    "ModelFolderError",
    "NetworkEconomy",
    "Progress",
    "Ranks",
    "RanksError",
    "Solution",
    "State",
    "StateError",
    "SwitchingModel",
    "ValueFunction",
    "Watch",
    "certify",
    "check_exact",
    "checked_states",
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
    "pick_device",
    "preset",
    "read_folder",
    "read_network",
    "read_states",
    "refuse_changes",
    "solve_bsde",
    "solve_exact",
    "train_along",
    "validation",
    "write_folder",
    "write_network",
]
