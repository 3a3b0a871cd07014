# SPDX-License-Identifier: GPL-2.0-only
"""Command lines: a parser with errors of one line, and types of options: numbers with bounds, files.

A command line can be parsed on a machine that lacks the files that it names: check() looks at these.
"""
import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from pvg.base import errors


_MOST_DIGITS = 10       # of no number that an option takes


class Parser(argparse.ArgumentParser):
    """A parser that takes no abbreviations and whose error is one line that says what to do next."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        raise errors.UsageError(f"{message} (see '{self.prog} --help')")


def number(least: int, most: int | None = None, unit: str = "") -> Callable[[str], int]:
    """The type of an option that takes a whole number from LEAST to MOST, of UNITs."""
    bounds = f"from {least} to {most}" if most is not None else f"at least {least}"
    rule = f"a whole number of {unit}, {bounds}" if unit else f"a whole number, {bounds}"

    def parse(text: str) -> int:
        # Only digits: int() takes '1_000', ' 1' and digits of other scripts as well.
        digits = text.isascii() and text.isdigit()
        large = digits and len(text.lstrip("0")) >= _MOST_DIGITS
        if large and most is None:
            raise argparse.ArgumentTypeError(f"'{text[:_MOST_DIGITS]}...' is too large a number")
        value = int(text[-_MOST_DIGITS:]) if digits and not large else None
        if value is None or value < least or (most is not None and value > most):
            raise argparse.ArgumentTypeError(f"'{text}' is not {rule}")
        return value

    return parse


class Name(str):
    """The name of a file or folder; TEST raises UsageError if that is not as it must be."""

    test: Callable[[str], None]


def named(test: Callable[[str], None]) -> Callable[[str], Name]:
    """The type of an option that takes a name that TEST checks."""
    def parse(text: str) -> Name:
        name = Name(text)
        name.test = test
        return name

    return parse


def check(args: argparse.Namespace) -> None:
    """Raise UsageError if a file or folder that ARGS name is not as its option needs it."""
    for option, value in vars(args).items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Name):
                try:
                    one.test(one)
                except errors.UsageError as error:
                    raise errors.UsageError(f"--{option.replace('_', '-')} {error}") from None


def _wrong(path: Path, problem: str) -> errors.UsageError:
    return errors.UsageError(f"{path}: {problem}")


def _path(text: str) -> Path:
    """The path TEXT, which is not empty: that would be the current folder."""
    if not text:
        raise errors.UsageError("'': the name is empty")
    return Path(text)


def _no_folder(text: str) -> Path:
    """The path TEXT, where no folder stands."""
    path = _path(text)
    if path.is_dir():
        raise _wrong(path, "is a folder, not a file")
    return path


def _can_create_in(folder: Path) -> None:
    """Complain if no file can be made in FOLDER; nothing is left there."""
    if not folder.is_dir():
        raise _wrong(folder, "not a folder" if folder.exists() else "no such folder")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _wrong(folder, f"no file can be made there ({error.strerror})") from None


def _check_result(text: str) -> None:
    """A file that is replaced in one step after the work is done (files.write_atomically)."""
    path = _no_folder(text)
    if path.exists() and not path.is_file():
        raise _wrong(path, "not a regular file, and would be replaced by one")
    _can_create_in(path.absolute().parent)


def _check_result_or_output(text: str) -> None:
    """The same, or '-' for the standard output."""
    if text != "-":
        _check_result(text)


def _check_log(text: str) -> None:
    """A file to be written from now on, or a device."""
    path = _no_folder(text)
    if not path.exists():
        _can_create_in(path.absolute().parent)
    elif not os.access(path, os.W_OK):
        raise _wrong(path, "cannot be written")


def _check_folder(text: str) -> None:
    """A folder to be read."""
    path = _path(text)
    if not path.is_dir():
        raise _wrong(path, "not a folder" if path.exists() else "no such folder")
    if not os.access(path, os.R_OK | os.X_OK):
        raise _wrong(path, "cannot be read")


def _check_file(text: str) -> None:
    """A file to be read."""
    path = _path(text)
    if not path.is_file():
        raise _wrong(path, "not a file" if path.exists() else "no such file")
    if not os.access(path, os.R_OK):
        raise _wrong(path, "cannot be read")


def _check_file_or_folder(text: str) -> None:
    """A file or a folder to be read."""
    (_check_folder if _path(text).is_dir() else _check_file)(text)


result_file = named(_check_result)
result_file_or_output = named(_check_result_or_output)
log_file = named(_check_log)
folder = named(_check_folder)
file = named(_check_file)
file_or_folder = named(_check_file_or_folder)
