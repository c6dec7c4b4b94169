"""Files of tensors, numbers and strings: whole or not there, read without running code, refused when damaged."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dlopt.errors import DloptError
from dlopt.store.files import replacing, size_of


class TensorFileError(DloptError):
    """A file that is damaged, or of another format; the message is the reason."""


def write_tensors(path: Path, format_number: int, content: Mapping[str, Any]) -> None:
    """Write them, with a digest of every bit.

    Raises:
        FileWriteError: the folder is not writable or the disk is full.
    """
    with replacing(path) as temporary:
        try:
            torch.save({"format": format_number, "content": dict(content), "digest": _digest(content)}, temporary)
        except RuntimeError as error:  # what torch makes of a full disk
            raise OSError(_reason(error)) from error


def read_tensors(path: Path, format_number: int, device: torch.device | str = "cpu") -> dict[str, Any]:
    """What `write_tensors` wrote.

    Raises:
        TensorFileError: not a bit of it is used.
    """
    try:
        size_of(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is about to be refused
            file = torch.load(path, map_location=device, weights_only=True)
        found, content = file["format"], file.get("content")
        whole = found == format_number and _digest(content) == file["digest"]
    except Exception as error:  # damaged bytes make torch raise whatever they lead to
        raise TensorFileError(_reason(error)) from error
    if found != format_number:
        raise TensorFileError(f"it has format {str(found)[:20]}, this version reads {format_number}")
    if not whole or not isinstance(content, dict):
        raise TensorFileError("its content does not have the digest it was written with")
    return content


def _reason(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _digest(value: Any) -> str:
    sha = hashlib.sha256()
    _feed(sha, value)
    return sha.hexdigest()


def _feed(sha: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        sha.update(f"{value.dtype}{list(value.shape)}".encode())
        sha.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    elif isinstance(value, Mapping):
        sha.update(b"{")
        for key in value:
            sha.update(repr(key).encode())
            _feed(sha, value[key])
        sha.update(b"}")
    elif isinstance(value, list | tuple):
        sha.update(b"[")
        for item in value:
            _feed(sha, item)
        sha.update(b"]")
    else:
        sha.update(repr(value).encode())
