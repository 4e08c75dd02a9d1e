"""Write the lists of files into the CMake files of the module and the library: `python Utilities/list_files.py`.

CMake needs every file by name: a file that is not listed is silently absent from the built extension.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESOURCE_SUFFIXES = (".safetensors", ".json", ".md", ".txt", ".ui", ".png", ".svg", ".csv", ".ini")
PREFIXES = {"KidneyParsing": "MODULE", "KidneyParsingLib": "LIBRARY"}


def files_of(folder: str) -> dict[str, list[str]]:
    """The scripts and resources in a folder of the repository, by the name of their CMake list."""
    paths = [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    names = sorted(str(path.relative_to(ROOT / folder).as_posix()) for path in paths)
    return {
        f"{PREFIXES[folder]}_PYTHON_SCRIPTS": [name for name in names if name.endswith(".py")],
        f"{PREFIXES[folder]}_PYTHON_RESOURCES": [
            name for name in names if name.endswith(RESOURCE_SUFFIXES) and name != "CMakeLists.txt"
        ],
    }


def with_list(text: str, name: str, files: list[str]) -> str:
    """The text of a CMake file with its list `name` replaced."""
    lines = "".join(f"  {file}\n" for file in files)
    replaced, count = re.subn(rf"set\({name}\n.*?  \)", lambda _: f"set({name}\n{lines}  )", text, flags=re.DOTALL)
    assert count == 1, f"no list {name}"
    return replaced


def updated(folder: str) -> str:
    """What the CMake file of a folder should be."""
    text = (ROOT / folder / "CMakeLists.txt").read_text(encoding="utf-8")
    for name, files in files_of(folder).items():
        text = with_list(text, name, files)
    return text


if __name__ == "__main__":
    for folder in PREFIXES:
        (ROOT / folder / "CMakeLists.txt").write_text(updated(folder), encoding="utf-8", newline="\n")
