"""What is written by hand on `docs/benchmarks.md`: it stays when the page is made again."""

AFTER = {
    "given_tariffs": """\
Plain iteration is equation (5): each unknown is set to what its own equation says, and wages move a tenth of the
way. It took 728 steps, and Anderson mixing 470. Moved a quarter of the way it diverges. Earlier tables had it as
`non_finite`: the reference country's wage was moved the wrong way.

The published algorithm stands in up to three rows. On dlopt's equilibria and gradients only Adam's steps are the
paper's. "(5) inside" is what its paper prints: contraction and automatic implicit differentiation (7, 8); "(6) inside"
has Newton's method, which the paper sets aside. The paper says neither where (5) stops, here at 1e-10, nor how wages
move in its map G, on which the number of iterations depends; ours is the one above. Its Table 1 has 20 rounds of 50
steps for the dual game; for one economy alone and for a planner it names no number, and 1,000 steps are ours. In all
rows Adam moves logs of rates where the paper has rates ([solvers.md](solvers.md#the-papers-algorithm)). Earlier tables
had both rows longer, by up to four times: what is looked at after a round was counted with every step. In the
trade war and the dual game steps are the difference of rounds of four and of two, in the other cases timed alone.
`solver=best_response
solver.inner=contraction` has (5) with derivatives by hand: 1.5 s a step on a busy machine, where the default took
0.04 s ([solvers.md](solvers.md)).
""",
    "exporter": """\
How accurate the default method is, over three seeds, stands in [bsde.md](bsde.md), and there the published method of
the second paper, step by step (`python -m benchmarks.paper_steps`).
""",
}
"""Case -> text below its table."""

START_UP = """\
## Start-up

Processor seconds, user and system, medians of five, before and after a solve was composed once and Typer, pandas
and the importers were left until they are needed; the two versions in turn on one busy machine, so that their ratio
says more than either:

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

Processor seconds of imports alone, in this order in one process, where torch takes 1.6 to 1.7 (busy machine): numpy
0.10, torch 1.6, pandas with pyarrow 0.39, OmegaConf 0.07, Hydra 0.07, rich 0.16, Typer 0.02, dlopt's own modules
0.17 with compiled files on disk and 0.41 where Python must compile them (`PYTHONDONTWRITEBYTECODE`). What is not
torch, nor numpy, which torch loads too, is 0.9 s, nearly half of it pandas, which every table needs.
"""
