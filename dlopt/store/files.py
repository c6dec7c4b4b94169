"""Files that are whole or not there: atomic writes, Parquet with provenance; YAML of others, read warily."""

from __future__ import annotations

import errno
import json
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlopt.errors import DloptError

if TYPE_CHECKING:
    import pandas as pd


MAX_YAML_BYTES = 2**20
MAX_YAML_BRACKETS = 1000


class FileWriteError(DloptError):
    """A file could not be written: no permission, no space, or a file where a folder should be."""


class FileReadError(DloptError):
    """A file could not be read as what it should be."""


class YamlError(FileReadError):
    """A YAML file that cannot be read.

    Attributes:
        rule: what is required of it.
        line: where the fault is, if that is known.
    """

    def __init__(self, path: Path, rule: str, line: int | None = None, reason: str = "") -> None:
        self.rule, self.line = rule, line
        where = f" line {line}" if line else ""
        super().__init__(f"{path}{where} cannot be read: {rule}{f' ({reason})' if reason else ''}.")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well, and vanishes when it does not.

    Raises:
        FileWriteError: the folder is not writable or the disk is full.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise FileWriteError(
            f"Cannot write {path}: {error.strerror or error}. Free some space or choose another folder."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder outlast a power cut, where the system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    except OSError:  # some network file systems sync files only
        pass
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON atomically; infinities and NaN become null."""
    write_text(path, json.dumps(_finite(content), indent=2, ensure_ascii=False) + "\n")


def write_table(frame: pd.DataFrame, path: Path, metadata: Mapping[str, str]) -> None:
    """Write a table as Parquet atomically, with `metadata` (units, source, ...) in the file's schema."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    extra = {key.encode(): str(value).encode() for key, value in metadata.items()}
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **extra})
    with replacing(path) as temporary:
        try:
            pq.write_table(table, temporary)
        except pa.ArrowException as error:
            raise OSError(str(error)) from error


def table_metadata(path: Path) -> dict[str, str]:
    """What `write_table` put beside the columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException) as error:
        raise FileReadError(f"{path} is not a readable Parquet file: {error}.") from error
    return {k.decode(): v.decode() for k, v in metadata.items() if k != b"pandas"}


def size_of(path: Path) -> int:
    """Bytes of a file that has an end.

    Raises:
        OSError: there is none, or it is no regular file: a pipe or a device would be read for ever.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    return found.st_size


def read_yaml(path: Path, max_bytes: int = MAX_YAML_BYTES, max_brackets: int = MAX_YAML_BRACKETS) -> Any:
    """The plain values in a YAML file.

    Raises:
        YamlError: it cannot be read, is no YAML, or would take the parser for ever: too long, too many brackets, or
            aliases, which grow without bound.
    """
    import yaml

    try:
        if size_of(path) > max_bytes:
            raise YamlError(path, f"at most {max_bytes // 1024} KiB are read")
        text = path.read_bytes().decode("utf-8-sig")
        if text.count("[") + text.count("{") > max_brackets:
            raise YamlError(path, f"at most {max_brackets:,} brackets are read")
        if any(isinstance(token, yaml.AnchorToken | yaml.AliasToken) for token in yaml.scan(text, yaml.SafeLoader)):
            raise YamlError(path, "anchors and aliases are not accepted")
        return yaml.safe_load(text)
    except UnicodeDecodeError as error:
        raise YamlError(path, "the file must be UTF-8") from error
    except OSError as error:
        raise YamlError(path, f"the file cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, TypeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        raise YamlError(path, "the file is not valid YAML", line, " ".join(str(error).split())[:300]) from error


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value
