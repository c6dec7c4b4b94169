"""Reading the tables of runs, and setting several runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlopt.runs.record import WRITTEN, RunReadError, read_run
from dlopt.store.files import FileReadError, read_yaml

if TYPE_CHECKING:
    import pandas as pd

_ROUNDING = 1e-12
"""Rates nearer than this are the same."""


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """One table of a run.

    Raises:
        RunReadError: it is missing or damaged.
    """
    import pandas as pd

    path = folder / f"{name}.parquet"
    if not path.is_file():
        status = read_run(folder).status
        raise RunReadError(f"{folder} ({status}) has no {path.name}; only runs that reached a result have tables.")
    try:
        return pd.read_parquet(path)
    except Exception as error:  # a damaged schema makes pandas and pyarrow raise whatever they stumble on
        raise RunReadError(f"{path} cannot be read: {error}. Run it again.") from error


def average_policies(policies: pd.DataFrame) -> pd.DataFrame:
    """Simple averages of the rates somebody chose or changed.

    Columns `economy`, `instrument`, `count`, `initial_pct`, `rate_pct` (both per cent) and `at_bound`.
    """
    import pandas as pd

    changed = (policies["rate"] - policies["initial_rate"]).abs() > _ROUNDING
    grouped = policies[changed | policies["lower_bound"].notna()].groupby(["economy", "instrument"], sort=False)
    averages = pd.DataFrame(
        {
            "count": grouped.size(),
            "initial_pct": 100 * grouped["initial_rate"].mean(),
            "rate_pct": 100 * grouped["rate"].mean(),
            "at_bound": grouped["at_bound"].sum().astype(int),
        }
    )
    return averages.reset_index()


def config_of(folder: Path) -> dict[str, Any]:
    """The config a run was started with, as `section.key: value`; empty for one written from Python.

    A run of a suite was not composed by Hydra: its settings are those in `run.json`.

    Raises:
        RunReadError: it is missing or damaged.
    """
    record = read_run(folder)
    if record.command == WRITTEN:
        return {}
    return flat(_config(folder, "config")) if (folder / ".hydra").is_dir() else dict(record.settings)


def saved_config(folder: Path) -> tuple[dict[str, Any], Path]:
    """The composed config a run was started with, with the values it came to, and where it was started.

    Raises:
        RunReadError: it is missing or damaged.
    """
    if read_run(folder).command == WRITTEN:
        raise RunReadError(f"{folder} was written from Python, without a config to solve it again from.")
    config, hydra = _config(folder, "config"), _config(folder, "hydra")
    try:
        return _filled(config, read_run(folder).settings), Path(hydra["hydra"]["runtime"]["cwd"])
    except (LookupError, TypeError) as error:
        raise RunReadError(f"The config of {folder} cannot be read: {error!r}. Run it again.") from error


def _filled(config: dict[str, Any], settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested config with its values from flat settings, in which nothing refers to anything else any more."""
    return {
        key: _filled(value, settings, f"{prefix}{key}.")
        if isinstance(value, dict)
        else settings.get(f"{prefix}{key}", value)
        for key, value in config.items()
    }


def _config(folder: Path, name: str) -> dict[str, Any]:
    path = folder / ".hydra" / f"{name}.yaml"
    try:
        content = read_yaml(path)
    except FileReadError as error:
        raise RunReadError(str(error)) from error
    if not isinstance(content, dict):
        raise RunReadError(f"{path} is not a config.")
    return content


def config_differences(folders: Sequence[Path]) -> dict[str, list[Any]]:
    """Keys whose values are not the same in all runs, with the value in each."""
    configs = [config_of(folder) for folder in folders]
    keys = sorted({key for config in configs for key in config})
    rows = {key: [config.get(key) for config in configs] for key in keys}
    return {key: values for key, values in rows.items() if any(value != values[0] for value in values)}


def as_typed(value: object) -> str:
    """A setting as a key takes it, lists without quotes; None: not set."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{', '.join(map(as_typed, value))}]" if isinstance(value, list) else str(value)


def flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys."""
    flattened: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            flattened.update(flat(value, f"{prefix}{key}."))
        else:
            flattened[f"{prefix}{key}"] = value
    return flattened
