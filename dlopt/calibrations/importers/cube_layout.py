"""Which variable of a file is what, how its axes lie, and in which unit its tariffs are: found, or asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlopt.calibrations.accounts import Array
from dlopt.calibrations.importers.cube_files import CubesError, Unread, levels, texts_of

ROLES: dict[str, tuple[str, ...]] = {
    "trade": ("trade", "Xjik_3D", "X", "flows", "Xjik", "Xijs3D", "trade_flows", "bilateral_trade", "spending"),
    "tariff": ("tariff", "tariffs", "tjik_3D", "t", "tjik", "tau", "applied_tariffs", "tariff_rates"),
    "economies": ("economies", "countries", "country", "iso", "iso3", "country_names", "regions", "names"),
    "sectors": ("sectors", "industries", "sector_names", "industry", "sector", "industry_names", "goods"),
    "theta": ("theta", "epsilon_S", "epsilon", "trade_elasticity", "trade_elasticities", "elasticities", "elasticity"),
    "sigma": ("sigma_S", "sigma_k3D", "sigma", "sigma_s3D"),
    "psi": ("psi", "mu", "mu_k3D", "scale_elasticity", "scale_elasticities"),
    "year": ("year",),
}
"""What a calibration is made of, and what it is called by default (capitals do not matter)."""
AXES = ("auto", "ods", "osd", "dos", "dso", "sod", "sdo")
RATES = ("auto", "fraction", "percent", "factor")
_LIKELY = (0.4, 1.0)
"""Median of positive tariffs up to which they are fractions, and from which they are per cent."""
_OTHER_WAY = 0.7
"""Ratio of the spread of tariffs within an axis to that within the other from which it sets them."""
_ENOUGH = 8
"""Economies from which the spread of tariffs says who sets them."""


def opened(content: Mapping[str, Any], given: Mapping[str, str]) -> Mapping[str, Any]:
    """The level of a file on which its cubes stand: the top, or a structure such as `data`."""
    found = list(levels(content))
    named = {name for names in ROLES.values() for name in names} | set(given.values())
    for wanted in (lambda name, value: name in named and _is_cube(value), lambda name, value: _is_cube(value)):
        for level in found:
            if any(wanted(name, value) for name, value in level.items()):
                return level
    return content


def asked(text: str | None, file: str) -> dict[str, str]:
    """Variables by role from `trade=X,tariff=T`."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in (text or "").split(","))):
        role, _, name = (piece.strip() for piece in part.partition("="))
        if role not in ROLES or not name:
            roles = ", ".join(ROLES)
            raise CubesError(file, f"--variables has {part!r}", f"say trade=X,tariff=T; what may be named: {roles}")
        found[role] = name
    return found


def value_of(content: Mapping[str, Any], role: str, given: Mapping[str, str], file: str) -> Any:
    """The variable that plays a role: the one asked for, or of a known name; None where there is none."""
    if role in given:
        if given[role] not in content:
            raise CubesError(file, f"there is no variable {given[role]!r}", f"it has {listed(content)}")
        return content[given[role]]
    lower = {name.lower(): name for name in reversed(list(content))}
    for name in ROLES[role]:
        match = name if name in content else lower.get(name.lower())
        if match is not None and not (role in ("trade", "tariff") and not _is_cube(content[match])):
            return content[match]
    return None


def trade_and_tariff(content: Mapping[str, Any], given: Mapping[str, str], file: str) -> tuple[Any, Any, list[str]]:
    """The cubes of trade and of tariffs, by name, else by what they hold, and what was found by that."""
    trade, tariff = (value_of(content, role, given, file) for role in ("trade", "tariff"))
    if trade is not None:
        return trade, tariff, []
    cubes = {name: value for name, value in content.items() if _is_cube(value)}
    rates = [name for name, value in cubes.items() if value is tariff or _like_rates(np.asarray(value, dtype=float))]
    others = [name for name in cubes if name not in rates]
    remedy = "name the variables: --variables trade=NAME,tariff=NAME"
    if not others:
        raise CubesError(file, f"no cube of trade among {listed(content)}", remedy)
    if len(others) > 1 or (tariff is None and len(rates) > 1):
        which = ", ".join(others if len(others) > 1 else rates)
        raise CubesError(file, f"several cubes could be {'trade' if len(others) > 1 else 'tariffs'}: {which}", remedy)
    said = [f"Trade is {others[0]!r}, the only cube that is not one of rates."]
    if tariff is None and rates:
        tariff = cubes[rates[0]]
        said.append(f"Tariffs are {rates[0]!r}, the only cube that is nothing at home.")
    return cubes[others[0]], tariff, said


def listed(content: Mapping[str, Any]) -> str:
    """Names and shapes, for messages."""
    parts = []
    for name, value in list(content.items())[:12]:
        shape = " x ".join(map(str, getattr(value, "shape", ())))
        parts.append(f"{name} ({shape})" if shape else name)
    return ", ".join(parts) or "nothing"


def numbers(value: Any, what: str, file: str) -> Array:
    """A cube of numbers; a matrix is one sector."""
    if isinstance(value, Unread):
        raise CubesError(file, f"the cube of {what} cannot be read", value.why)
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise CubesError(file, f"the cube of {what} does not hold numbers", "store it as float64") from error
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3:
        raise CubesError(file, f"the cube of {what} has {array.ndim} axes", "give origin, destination and sector")
    return array


def turned(array: Array, what: str, axes: str, file: str) -> Array:
    """`[origin, destination, sector]`: as said, or with `auto` the axis of another length as that of sectors."""
    shape = array.shape
    if axes == "auto":
        pairs = [k for k in range(3) if shape[(k + 1) % 3] == shape[(k + 2) % 3]]
        if not pairs:
            rule = f"the cube of {what} has shape {shape}, of which no two axes are economies"
            raise CubesError(file, rule, "say the order of axes with --axes")
        where = pairs[0] if len(pairs) == 1 else 2
        array = np.moveaxis(array, where, 2)
    else:
        array = array.transpose([axes.index(letter) for letter in "ods"])
    if array.shape[0] != array.shape[1]:
        rule = f"the cube of {what} has shape {shape}, which is not {axes}: as many origins as destinations"
        raise CubesError(file, rule, "say the order of axes with --axes")
    return array


def check_setters(tariff: Array, file: str) -> None:
    """Whether tariffs are alike within an importer, as they are where most pay the same, and not within an exporter.

    Raises:
        CubesError: they look turned round.
    """
    n = len(tariff)
    if n < _ENOUGH:
        return
    off = np.where(np.eye(n, dtype=bool)[:, :, None], np.nan, tariff)
    of_importer, of_exporter = (float(np.nanvar(off, axis=axis).mean()) for axis in (0, 1))
    if of_exporter < _OTHER_WAY * of_importer:
        rule = (
            "tariffs vary less along the second axis of economies than along the first, as if the first were "
            "importers, who set them"
        )
        raise CubesError(file, rule, "say --axes dos where importers come first, --axes ods where exporters do "
                         "(sod and sdo where sectors come first)")  # fmt: skip


def as_fractions(tariff: Array, rates: str, file: str) -> tuple[Array, list[str]]:
    """Tariffs as fractions, and what was done."""
    n = len(tariff)
    home = np.eye(n, dtype=bool)
    own, away = tariff[home], tariff[~home]
    positive = away[away > 0]
    middle = float(np.median(positive)) if len(positive) else 0.0
    found = rates
    if rates == "auto":
        if len(own) and bool((own == 1).all()) and bool((away >= _LIKELY[0]).all()):
            found = "factor"
        elif middle <= _LIKELY[0]:
            return tariff, []
        elif middle >= _LIKELY[1]:
            found = "percent"
        else:
            rule = f"half of the tariffs that are not zero exceed {middle:g}, which may be a fraction or per cent"
            raise CubesError(file, rule, "say which with --rates fraction or --rates percent")
    if found == "percent":
        said = f"Tariffs are per cent (half of those not zero exceed {middle:g}): divided by 100."
        return tariff / 100, [said]
    if found == "factor":
        return tariff - 1, ["Tariffs are factors, 1 at home: 1 is subtracted."]
    return tariff, []


def filled(
    array: Array, what: str, labels: tuple[Sequence[str], Sequence[str]], missing: str, file: str
) -> tuple[Array, list[str]]:
    """Cells that are not a number are refused, or zero where that is asked for; own tariffs are zero in any case."""
    economies, sectors = labels
    wrong = ~np.isfinite(array)
    if what == "tariff":
        wrong &= ~np.eye(len(array), dtype=bool)[:, :, None]
    said = []
    if wrong.any():
        i, n, k = (int(x) for x in np.argwhere(wrong)[0])
        place = f"{economies[i]} to {economies[n]}, sector {sectors[k]}"
        count = int(wrong.sum())
        if missing != "zero":
            rule = f"{what} has {count} cells that are not finite, the first at {place}"
            raise CubesError(file, rule, "correct them, or count them as zero with --missing zero")
        said.append(f"Cells of {what} that are no number: {count}, set to zero, the first at {place}.")
    return np.where(np.isfinite(array), array, 0.0), said


def labels_of(
    content: Mapping[str, Any], role: str, given: Mapping[str, str], count: int, file: str, taken: Sequence[str] = ()
) -> tuple[list[str] | None, list[str]]:
    """Labels of economies or sectors: by name, else the only texts of that length; None where there are none.

    Args:
        content, role, given, file: see `value_of`.
        count: how many there must be.
        taken: labels that another axis has already.
    """
    value, said = value_of(content, role, given, file), list[str]()
    if isinstance(value, Unread):
        raise CubesError(file, f"the labels of {role} cannot be read", value.why)
    texts = None if value is None else texts_of(value)
    if texts is None and value is not None and np.asarray(value).size == count:
        texts = [f"{number:g}" for number in np.asarray(value, dtype=float).reshape(-1)]
    if value is None:
        lists = {name: found for name, v in content.items() if (found := texts_of(v)) and len(found) == count}
        lists = {name: found for name, found in lists.items() if found != list(taken)}
        if len(lists) == 1 and count > 1:
            ((name, texts),) = lists.items()
            said.append(f"Labels of {role} are {name!r}.")
    if texts is None:
        return None, said
    texts = [text.strip().strip("\0").strip() for text in texts]
    if len(texts) != count:
        raise CubesError(file, f"{role} has {len(texts)} labels, the cube {count}", "give one for each")
    if len(dict.fromkeys(texts)) < count or not all(texts):
        twice = next((text for text in texts if texts.count(text) > 1), "")
        raise CubesError(file, f"{role}: {twice!r} is there twice or empty", "labels are distinct")
    return texts, said


def vector(value: Any, j: int, what: str, file: str) -> Array | None:
    """One number a sector, from a number, a vector, or a cube that repeats it over pairs."""
    if value is None:
        return None
    if isinstance(value, Unread):
        raise CubesError(file, f"{what} cannot be read", value.why)
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise CubesError(file, f"{what} does not hold numbers", "store it as float64") from error
    if array.ndim == 3:
        where = next(
            (k for k in range(3) if array.shape[k] == j and array.shape[(k + 1) % 3] == array.shape[(k + 2) % 3]), 2
        )
        array = np.moveaxis(array, where, 2)
        if not np.array_equal(array, np.broadcast_to(array[:1, :1], array.shape)):
            raise CubesError(file, f"{what} differs between pairs of economies", "give one number for each sector")
        array = array[0, 0]
    array = array.reshape(-1)
    if len(array) not in (1, j) or not np.isfinite(array).all():
        raise CubesError(file, f"{what} holds {len(array)} numbers for {j} sectors, all of which must be finite",
                         "give one for each, or choose a published set with --elasticities")  # fmt: skip
    return np.broadcast_to(array, (j,)).copy()


def _is_cube(value: Any) -> bool:
    """An array of three axes of which two are as long, or a square matrix."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub" or value.ndim not in (2, 3):
        return False
    shape = value.shape
    if value.ndim == 2:
        return shape[0] == shape[1] > 1
    return sorted(shape)[1] > 1


def _like_rates(array: Array) -> bool:
    """A cube that is the same at home everywhere (zero, one, or nothing), as rates are."""
    if array.ndim == 2:
        array = array[:, :, None]
    pairs = [k for k in range(3) if array.shape[(k + 1) % 3] == array.shape[(k + 2) % 3]]
    if not pairs:
        return False
    array = np.moveaxis(array, pairs[0] if len(pairs) == 1 else 2, 2)
    own = array[np.eye(len(array), dtype=bool)]
    own = own[np.isfinite(own)]
    return bool((own == 0).all() or (own == 1).all())
