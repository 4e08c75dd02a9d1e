"""Places of a result that are worth a look, as the user is led to them, and their JSON file."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .errors import InputError
from .sentences import texts_of

_ = texts_of(__name__)

VERSION = 1


@dataclass(frozen=True)
class ReviewPlace:
    """One place where the prediction may be wrong and where it matters.

    `structure` is its name in `anatomy`, `reason` one short sentence for the user, `center_ras` a point (mm, RAS)
    inside the place, `ml` the volume in question, `score` (0..1, larger first) what it is ranked by, and `kind` a word:
    uncertain, surface, gap, neck, end, border or speck (docs/review.md).
    """

    structure: str
    reason: str
    center_ras: tuple[float, float, float]
    ml: float
    score: float
    kind: str


def write_places(path: str | Path, places: Sequence[ReviewPlace]) -> None:
    """Writes places as JSON in their order; a file at `path` is replaced only by a whole one.

    Raises InputError if the file cannot be written.
    """
    path = Path(path)
    text = json.dumps({"version": VERSION, "places": [asdict(place) for place in places]}, indent=1, allow_nan=False)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        temporary.write_text(text + "\n", encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(
            _("{path} cannot be written ({reason}); choose another folder or name.").format(
                path=path, reason=error.strerror
            )
        ) from error
    finally:
        _remove(temporary)


def _remove(path: Path) -> None:
    # A name that the system refuses cannot be removed either.
    try:
        path.unlink(missing_ok=True)
    except OSError:
        pass


def read_places(path: str | Path) -> tuple[ReviewPlace, ...]:
    """The places of a file by `write_places`. Raises InputError if it is not such a file."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        version = content["version"]
        places = tuple(_place(entry) for entry in content["places"]) if version == VERSION else ()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            _("{path} holds no review places; parse the CT again with --review.").format(path=path)
        ) from error
    if version != VERSION:
        raise InputError(
            _("{path} is of version {version!r}, not {known}; parse the CT again with --review.").format(
                path=path, version=version, known=VERSION
            )
        )
    return places


def _place(entry: dict) -> ReviewPlace:
    x, y, z = map(float, entry["center_ras"])
    words = {name: str(entry[name]) for name in ("structure", "reason", "kind")}
    return ReviewPlace(center_ras=(x, y, z), ml=float(entry["ml"]), score=float(entry["score"]), **words)
