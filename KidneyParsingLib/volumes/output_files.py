"""Files that appear in a folder together, whole or not at all, and never over what is there unless asked."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError
from ..sentences import texts_of

_ = texts_of(__name__)


class OutputExistsError(InputError):
    """A file of that name is there already; asked again with `replace=True` it is replaced."""


@contextmanager
def filled_together(folder: Path, replace: bool = False) -> Iterator[Path]:
    """A temporary folder whose files move into `folder` if the block ends well; `folder` is made if its parent exists.

    Whatever goes wrong in the block, `folder` is as it was. Raises OutputExistsError if a file would be replaced and
    `replace` is off, InputError if nothing can be written there.
    """
    is_new = not folder.exists()
    scratch = _scratch_in(folder)
    try:
        yield scratch
        made = sorted(scratch.iterdir())
        _check_free([folder / path.name for path in made], replace)
        for path in made:
            os.replace(path, folder / path.name)
    except BaseException as error:
        shutil.rmtree(folder if is_new else scratch, ignore_errors=True)
        if isinstance(error, OSError):
            raise _cannot_write(folder, error) from None
        raise
    shutil.rmtree(scratch, ignore_errors=True)


def check_free(path: Path, replace: bool = False) -> None:
    """Raise OutputExistsError if there is a file at `path`, unless `replace`."""
    _check_free([path], replace)


def _check_free(paths: list[Path], replace: bool) -> None:
    # os.path answers False where Path raises: for a name that is too long, say.
    taken = next((path for path in paths if os.path.lexists(path)), None)
    if taken and os.path.isdir(taken):
        raise InputError(_("{taken} is a folder; give another name.").format(taken=taken))
    if taken and not replace:
        raise OutputExistsError(
            _("{taken} exists already; allow to replace it, or choose another name.").format(taken=taken)
        )


def _scratch_in(folder: Path) -> Path:
    if folder.exists() and not folder.is_dir():
        raise InputError(_("{folder} is a file; give a folder to write into.").format(folder=folder))
    if not os.path.isdir(folder.parent):
        raise InputError(
            _("There is no folder {parent} to make {name} in; make it first.").format(
                parent=folder.parent, name=folder.name
            )
        )
    try:
        folder.mkdir(exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=".kidneyparsing-export-", dir=folder))
    except OSError as error:
        raise _cannot_write(folder, error) from None


def _cannot_write(folder: Path, error: OSError) -> InputError:
    return InputError(
        _("{folder} cannot be written ({reason}); choose another folder.").format(folder=folder, reason=error.strerror)
    )
