"""Parameters of dynamic choice models from panels of what firms did.

One value function over a box of parameters (`dlopt.choice.box`) is trained once; estimates are then searched for in the
box, V and its derivatives being read off (Huang and Yu 2024, section 4). Any model of the `SwitchingModel` protocol
without a clock can be estimated.
"""
