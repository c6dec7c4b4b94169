"""Sectors with delegates who look ahead: a game over the links of a production network, its solutions and checks."""
