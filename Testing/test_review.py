"""Review places as a JSON file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.review import ReviewPlace, read_places, write_places

PLACES = (
    ReviewPlace(
        "artery", "The artery may go on here: two parts end 6 mm apart.", (-12.5, 40.25, -300.0), 0.8, 0.7, "gap"
    ),
    ReviewPlace("kidney", "This may not be kidney.", (1.0, 2.0, 3.0), 1.5, 0.25, "uncertain"),
)


@pytest.mark.parametrize("places", [(), PLACES])
def test_places_come_back_as_they_were_written(tmp_path: Path, places: tuple[ReviewPlace, ...]) -> None:
    path = tmp_path / "places.json"
    write_places(path, places)
    assert read_places(path) == places
    assert [p.name for p in tmp_path.iterdir()] == ["places.json"]


def test_the_file_says_its_version_and_names_the_fields(tmp_path: Path) -> None:
    write_places(tmp_path / "places.json", PLACES)
    content = json.loads((tmp_path / "places.json").read_text())
    assert content["version"] == 1
    assert content["places"][0]["center_ras"] == [-12.5, 40.25, -300.0]
    assert set(content["places"][1]) == {"structure", "reason", "center_ras", "ml", "score", "kind"}


def test_an_old_file_survives_places_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "places.json"
    write_places(path, PLACES)
    with pytest.raises(ValueError):
        write_places(path, [ReviewPlace("vein", "", (0.0, 0.0, 0.0), float("nan"), 0.5, "gap")])
    assert read_places(path) == PLACES


def test_a_missing_folder_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="choose another"):
        write_places(tmp_path / "none" / "places.json", PLACES)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1, "places": [{}]}', '{"version": 2, "places": []}'])
def test_other_files_are_the_users_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "places.json"
    path.write_text(text)
    with pytest.raises(InputError, match="again with --review"):
        read_places(path)


def test_the_module_needs_nothing_heavy() -> None:
    code = "import sys, KidneyParsingLib.review; print({'numpy', 'torch', 'SimpleITK'} & set(sys.modules))"
    folder = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
