"""What is written by hand on `docs/benchmarks.md`: it stays when the page is made again."""

AFTER = {
    "given_tariffs": """\
Plain iteration, equation (5), each unknown set to what its own equation says and wages moved a tenth of the
way, converges to 6e-12 in 716 steps and 1.0 s of processor time, where Newton took 0.06 s in the same process
(a busy machine; compare the two). Earlier tables had it as `non_finite`: the reference country's wage was moved
the wrong way. Moved three tenths of the way it does diverge.

The published algorithm stands in two rows. "(5) inside" is what its paper prints: contraction to 1e-10,
automatic implicit differentiation (7, 8). It was timed later than the rest, by processor time on one core of a
machine busy with other work, so that its row has no ratio; a step took 2.8 to 5.7 s. With Newton (6) inside,
which the paper sets aside, a step took 1.7 to 4.3 s on the idle machine of the other rows.
`solver=best_response solver.inner=contraction` has (5) with derivatives by hand: 1.5 s a step on the busy
machine, where the default took 0.04 s ([solvers.md](solvers.md)).
""",
    "exporter": """\
The published method of the second paper, step by step, is measured by `python -m benchmarks.paper_steps`
([bsde.md](bsde.md)).
""",
}
"""Case -> text below its table."""

START_UP = """\
## Start-up

Processor seconds, user and system, medians of five, before and after a solve was composed once and Typer,
pandas and the importers were left until they are needed; the two versions in turn on one busy machine, so that
their ratio says more than either:

| command | before | now | ratio |
|---|--:|--:|--:|
| `dlopt scenarios` | 0.411 | 0.384 | 0.93 |
| `dlopt --help` | 0.321 | 0.290 | 0.90 |
| `dlopt solve equilibrium` | 3.90 | 3.48 | 0.89 |

Measured again later on another busy machine, medians of three: `dlopt solve equilibrium scenario=us_china_2018`
took 2.4 to 2.8 s, and `python -c "import torch"` alone 1.85 to 2.1 s just after it. All the rest of the command,
Hydra, reading the world, solving and the tables with pandas, is 0.5 to 0.7 s. By `python -X importtime` what is
loaded besides torch and dlopt itself is, in this order, pandas, numpy, Hydra and pyarrow; SciPy, statsmodels and
matplotlib are not loaded.
"""
