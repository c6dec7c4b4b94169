"""What the process that commands are forked from has imported: what most of them would import one by one."""

import gc

import dlopt.cli.solve.launch
import fake_solver  # noqa: F401
import matplotlib.figure  # noqa: F401
import pandas  # noqa: F401
import pyarrow.parquet  # noqa: F401
import rich.console  # noqa: F401
import scipy.optimize
import scipy.sparse.linalg
import scipy.stats  # noqa: F401
import torch._dynamo  # noqa: F401  (the first optimiser of a process imports it, and sympy: 1.6 s)

import dlopt.choice.kind
import dlopt.choice.solve
import dlopt.trade.kind  # noqa: F401

gc.collect()
gc.freeze()  # collecting garbage writes into every object: each fork would copy all of this
