"""Makes `world.json`: outlines of countries by ISO 3166 code, in an equal-area projection, small enough for a page.

From `countries-110m.json` of the npm package world-atlas 2 (Natural Earth, public domain), with the codes in
`codes.json` of the npm package i18n-iso-countries:

    python -m dlopt.views.report.make_map countries-110m.json codes.json
"""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dlopt.store.files import write_text

TARGET = Path(__file__).with_name("world.json")
WIDTH = 1000.0
LEFT_OUT = ("ATA",)
_NO_CODE = {"Kosovo": "XKX", "N. Cyprus": "CYP", "Somaliland": "SOM"}
"""Outlines without a number, by their name."""

Point = tuple[float, float]


def project(longitude: float, latitude: float) -> Point:
    """Equal Earth (Savric, Patterson, Jenny 2019), degrees to a plane 1000 wide, y downwards."""
    a = (1.340264, -0.081106, 0.000893, 0.003796)
    theta = math.asin(math.sqrt(3) / 2 * math.sin(math.radians(latitude)))
    t2, t6 = theta**2, theta**6
    slope = a[0] + 3 * a[1] * t2 + t6 * (7 * a[2] + 9 * a[3] * t2)
    x = 2 * math.sqrt(3) * math.radians(longitude) * math.cos(theta) / (3 * slope)
    y = theta * (a[0] + a[1] * t2 + t6 * (a[2] + a[3] * t2))
    scale = WIDTH / (2 * 2.7066)
    return WIDTH / 2 + scale * x, scale * (1.31 - y)


def rings(geometry: dict[str, Any], arcs: Sequence[Sequence[Point]]) -> Iterator[list[Point]]:
    """Closed outlines of one country, in degrees."""
    polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
    for polygon in polygons:
        for ring in polygon:
            points: list[Point] = []
            for index in ring:
                arc = list(arcs[index] if index >= 0 else reversed(arcs[~index]))
                points += arc[1:] if points else arc
            yield from unwrapped(points)


def unwrapped(ring: list[Point]) -> list[list[Point]]:
    """A ring that crosses the date line as two, each on its side of the map."""
    crosses = any(abs(a[0] - b[0]) > 180 for a, b in itertools.pairwise(ring))
    if not crosses:
        return [ring]
    halves = []
    for side in (1, -1):
        inside = [x * side > 0 for x, _ in ring]
        # Of the other side only the points next to this one are kept, on the edge: the rest would draw a line along it.
        around = zip(inside, [False, *inside[:-1]], [*inside[1:], False], strict=True)
        near = [any(three) for three in around]
        edge = 180.0 * side
        halves.append([(x if x * side > 0 else edge, y) for (x, y), keep in zip(ring, near, strict=True) if keep])
    return halves


def arcs_of(topology: dict[str, Any]) -> list[list[Point]]:
    """Arcs of a TopoJSON file, in degrees."""
    (sx, sy), (dx, dy) = topology["transform"]["scale"], topology["transform"]["translate"]
    found = []
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for step_x, step_y in arc:
            x, y = x + step_x, y + step_y
            points.append((sx * x + dx, sy * y + dy))
        found.append(points)
    return found


def outline(ring: Sequence[Point]) -> str:
    """A ring as an SVG path, to a tenth of a unit; empty where nothing of it is left."""
    points: list[str] = []
    for longitude, latitude in ring:
        x, y = project(longitude, latitude)
        word = f"{x:.1f} {y:.1f}"
        if not points or word != points[-1]:
            points.append(word)
    return f"M{'L'.join(points)}Z" if len(points) > 3 else ""


def main(atlas: Path, codes: Path) -> None:
    """Write `world.json`."""
    topology = json.loads(atlas.read_text(encoding="utf-8"))
    by_number = {row[2]: row[1] for row in json.loads(codes.read_text(encoding="utf-8"))}
    arcs = arcs_of(topology)
    found: dict[str, str] = {}
    for geometry in topology["objects"]["countries"]["geometries"]:
        name = geometry["properties"]["name"]
        code = by_number.get(str(geometry.get("id", "")).zfill(3)) or _NO_CODE[name]
        if code not in LEFT_OUT:
            found[code] = found.get(code, "") + "".join(outline(ring) for ring in rings(geometry, arcs))
    write_text(TARGET, json.dumps(dict(sorted(found.items())), indent=0) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
