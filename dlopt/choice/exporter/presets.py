"""Ready-made exporter models, each from a seeded generator.

The papers do not publish their parameters: every number here is our choice. The unit is the yearly revenue of the
median destination; time is in years. Sources for orders of magnitude: Alfaro-Urena, Castro-Vincenzi, Fanelli and
Morales (2023); Morales, Sheu and Zahler (2019), 'Extended gravity' (the weights of border, language and deep trade
agreement in the complementarities).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from dlopt.choice.exporter.model import Array, Exporter
from dlopt.errors import UnknownNameError

CITIES_PER_REGION = 12
EARTH_RADIUS = 6371.0  # km
THETA, LAMBDA0, LAMBDA1, RHO = 0.35, 0.30, 0.20, 0.05
MEAN_COMPLEMENTARITY = 0.25  # yearly profit that all other channels together would add to a destination, on average


@dataclasses.dataclass(frozen=True)
class Geography:
    """Where destinations are and what they share.

    Attributes:
        region: index of the region, `[J]`.
        distance_home, distance: kilometres from the exporter `[J]` and between destinations `[J, J]`.
        foreign_language: the destination does not speak the exporter's language, `[J]`.
        border, language, agreement: what two destinations share, `[J, J]` booleans with an empty diagonal.
    """

    region: Array
    distance_home: Array
    distance: Array
    foreign_language: Array
    border: Array
    language: Array
    agreement: Array


def geography(destinations: int, rng: np.random.Generator) -> Geography:
    """A synthetic world: regions scattered over a sphere, twelve cities each, languages and agreements by region."""

    def on_sphere(points: Array) -> Array:
        return points / np.linalg.norm(points, axis=-1, keepdims=True)

    def kilometres(a: Array, b: Array) -> Array:
        return EARTH_RADIUS * np.arccos(np.clip(a @ b.T, -1, 1))

    regions = -(-destinations // CITIES_PER_REGION)
    centres = on_sphere(rng.normal(size=(regions, 3)))
    region = np.arange(destinations) // CITIES_PER_REGION
    cities = on_sphere(centres[region] + 0.18 * rng.normal(size=(destinations, 3)))
    home = on_sphere(centres[:1] + 0.3 * rng.normal(size=(1, 3)))
    distance = kilometres(cities, cities)
    languages = rng.integers(0, max(2, regions // 2), size=regions)
    own = rng.random(destinations) < 0.8
    spoken = np.where(own, languages[region], rng.integers(0, max(2, regions // 2), size=destinations))
    same_region = region[:, None] == region[None, :]
    member = rng.random(destinations) < 0.6
    other = ~np.eye(destinations, dtype=bool)
    return Geography(
        region=region,
        distance_home=kilometres(cities, home)[:, 0],
        distance=distance,
        foreign_language=spoken != languages[0],
        border=(distance < 1200.0) & same_region & other,
        language=(spoken[:, None] == spoken[None, :]) & other,
        agreement=same_region & (member[:, None] & member[None, :]) & other,
    )


def gravity(destinations: int = 100, seed: int = 0, strength: float = 1.0, name: str = "gravity") -> Exporter:
    """Revenues and costs by distance and language, complementarities by border, language and trade agreement."""
    rng = np.random.default_rng([seed, 1])
    world = geography(destinations, rng)
    far = world.distance_home / 1e4
    log_zeta = -0.6 * np.log(world.distance_home) + 0.5 * rng.normal(size=destinations)
    zeta = np.clip(np.exp(log_zeta - np.median(log_zeta)), 0.15, 6.0)
    nubar = 0.55 + 0.35 * far + 0.15 * world.foreign_language + 0.1 * rng.normal(size=destinations)
    s = 0.8 + 0.4 * far + 0.2 * world.foreign_language + 0.1 * rng.random(destinations)
    angle = 2 * np.pi * world.region / (world.region.max() + 1)
    sigma = 2 * np.stack(
        [
            0.22 + 0.05 * rng.normal(size=destinations),
            0.15 * np.cos(angle) + 0.05 * rng.normal(size=destinations),
        ],
        axis=1,
    )
    c = (0.32 * world.border + 0.33 * world.language + 0.20 * world.agreement) * rng.uniform(
        0.5, 1.5, size=(destinations, destinations)
    )
    return Exporter(zeta, nubar, s, sigma, strength * _rescaled(c), THETA, LAMBDA0, LAMBDA1, RHO, name=name)


def gravity_strong(destinations: int = 100, seed: int = 0) -> Exporter:
    """`gravity` with three times the complementarity: opening one market can decide about others."""
    return gravity(destinations, seed, strength=3.0, name="gravity_strong")


def separable(destinations: int = 100, seed: int = 0) -> Exporter:
    """`gravity` without complementarity: as many one-destination problems, solved exactly."""
    return gravity(destinations, seed, strength=0.0, name="separable")


def blocks(destinations: int = 100, seed: int = 0, size: int = 5) -> Exporter:
    """`gravity`'s destinations, complementary within blocks of `size` only: large, heterogeneous, solved exactly."""
    rng = np.random.default_rng([seed, 2])
    block = np.arange(destinations) // size
    c = (block[:, None] == block[None, :]) * rng.uniform(0.5, 1.5, size=(destinations, destinations))
    np.fill_diagonal(c, 0.0)
    return dataclasses.replace(gravity(destinations, seed), c=_rescaled(c), name="blocks")


def lumped(destinations: int = 100, seed: int = 0) -> Exporter:
    """Identical destinations, every pair of them complementary: the hard dense case, solved exactly."""
    c = 0.004 * (1 - np.eye(destinations))
    one = np.ones(destinations)
    sigma = np.stack([0.45 * one, 0 * one], axis=1)
    return Exporter(1.35 * one, 1.15 * one, 1.5 * one, sigma, c, THETA, LAMBDA0, LAMBDA1, RHO, name="lumped")


def _rescaled(c: Array) -> Array:
    """`c` scaled so that the mean over destinations of `sum_m (c_jm + c_mj) / 2` is `MEAN_COMPLEMENTARITY`."""
    mean = c.sum() / len(c)
    return c * (MEAN_COMPLEMENTARITY / mean) if mean > 0 else c


PRESETS: dict[str, Callable[..., Exporter]] = {
    "gravity": gravity,
    "gravity_strong": gravity_strong,
    "lumped": lumped,
    "separable": separable,
    "blocks": blocks,
}


def preset(name: str, destinations: int = 100, seed: int = 0) -> Exporter:
    """A preset by name.

    Args:
        name: one of `PRESETS`.
        destinations: J.
        seed: of the generator; results quoted anywhere are for seed 0.

    Raises:
        UnknownNameError: there is no such preset.
    """
    if name not in PRESETS:
        raise UnknownNameError("exporter model", name, PRESETS)
    return PRESETS[name](destinations, seed)
