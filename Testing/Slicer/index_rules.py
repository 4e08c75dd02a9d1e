"""The rules of Slicer's Extensions Index that a machine can check, and some of its reviewers', each as one function.

Every rule takes the root folder of an extension's checkout and returns what is wrong as sentences, none if all is well.
The index's own checks are in its repository (scripts/check_description_files.py); what they ask of the network, such as
whether an address answers, is left out.
"""

from __future__ import annotations

import ast
import json
import re
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

Rule = Callable[[Path], list[str]]

NAME = "KidneyParsing"
MODULE_LIBRARY = "KidneyParsingModuleLib"
FOLDERS = {NAME: "MODULE", "KidneyParsingLib": "LIBRARY"}
METADATA = ("HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS")
CATEGORIES = ("Segmentation", "Planning")
ENTRY_KEYS = {
    "$schema": str,
    "category": str,
    "scm_url": str,
    "scm_revision": str,
    "scm_type": str,
    "build_dependencies": list,
    "build_subdirectory": str,
    "enabled": bool,
    "tier": int,
}
REQUIRED_KEYS = ("$schema", "category", "scm_url")
LICENCES = ("LICENSE", "LICENSE.txt")
# What every Slicer has, and what is the extension's own.
SLICER_PACKAGES = {"slicer", "vtk", "qt", "ctk", "numpy", "SimpleITK", "scipy"}
# What the module takes from the library when Slicer starts; Testing/engine shows that it costs nothing.
LIGHT_NAMES = ("anatomy", "engine.messages", "errors", "inference.options", "review", "sentences")
LIGHT_MODULES = tuple(f"KidneyParsingLib.{name}" for name in LIGHT_NAMES)
BROUGHT_BY_SLICER = {"numpy", "scipy", "simpleitk", "pydicom"}
TORCH = "torch"
ICON_PIXELS = (128, 128)
THUMBNAIL_PIXELS = (260, 280)
MB = 1024 * 1024
# The index allows 100 MB for a clone with its history.
MOST_TREE_MB, MOST_FILE_MB = 60, 25
TEXT_SUFFIXES = {".py", ".txt", ".md", ".json", ".ui", ".svg", ".sh", ".toml", ".cmake", ".yml", ".css", ".js", ".html"}
LEFT_OUT = {".git", ".venv", "__pycache__", ".pytest_cache", ".ruff_cache", "build", "demo", "runs"}

# Widgets that slicer.parameterNodeWrapper can bind, by their exact class, and what their parameter may be.
NUMBER_WIDGETS = ("QDoubleSpinBox", "ctkDoubleSpinBox", "ctkDoubleSlider", "qMRMLSpinBox")
RANGED_WIDGETS = ("ctkSliderWidget", "qMRMLSliderWidget")
BINDABLE: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("QCheckBox", "ctkCheckBox", "QPushButton", "ctkCheckablePushButton"), ("bool",)),
    **dict.fromkeys(("QSlider", "QSpinBox"), ("int",)),
    **dict.fromkeys((*NUMBER_WIDGETS, *RANGED_WIDGETS), ("int", "float")),
    **dict.fromkeys(("QLineEdit", "QLabel", "QTextEdit"), ("str",)),
    **dict.fromkeys(("ctkPathLineEdit", "ctkDirectoryButton"), ("Path",)),
    **dict.fromkeys(("QComboBox", "ctkComboBox"), ("Choice", "Enum")),
    "qMRMLNodeComboBox": ("node",),
}


def cmake_lists_files(root: Path) -> list[str]:
    """What CMake lists exists, and what exists is listed: a file that is not listed is not in the package."""
    problems = []
    for folder, prefix in FOLDERS.items():
        text = _read(root / folder / "CMakeLists.txt")
        listed = {name for kind in ("SCRIPTS", "RESOURCES") for name in _cmake_list(text, f"{prefix}_PYTHON_{kind}")}
        present = {path.relative_to(root / folder).as_posix() for path in _files(root / folder)} - {"CMakeLists.txt"}
        problems += [f"{folder}/{name} is listed but missing" for name in sorted(listed - present)]
        problems += [f"{folder}/{name} is not listed" for name in sorted(present - listed)]
    samples = _cmake_list(_read(root / "CMakeLists.txt"), "SAMPLE_DATA_FILES")
    return problems + [f"Resources/{name} is missing" for name in samples if not (root / "Resources" / name).is_file()]


def only_the_module_is_in_its_folder(root: Path) -> list[str]:
    """Slicer takes every .py file of a module folder for a module."""
    names = [path.name for path in (root / NAME).glob("*.py")]
    return [] if names == [f"{NAME}.py"] else [f"{NAME} holds {sorted(names)}"]


def extension_metadata_is_filled(root: Path) -> list[str]:
    """Each line of metadata is one quoted text; addresses are https, pictures raw files of this repository."""
    values = _metadata(root)
    problems = [f"EXTENSION_{key} is empty or not one quoted line" for key in METADATA if not values.get(key)]
    for address in values.get("ICONURL", "").split() + values.get("SCREENSHOTURLS", "").split():
        picture = re.fullmatch(r"https://raw\.githubusercontent\.com/[^/]+/Slicer[^/]+/[^/]+/(.+\.png)", address)
        if not picture:
            problems.append(f"{address} is not the raw address of a PNG")
        elif not (root / picture[1]).is_file():
            problems.append(f"{address} has no file {picture[1]}")
    return problems


def project_has_the_name_of_its_entry(root: Path) -> list[str]:
    """The project in CMake, the catalogue entry and the module are named alike, and not Slicer something."""
    project = re.search(r"project\s*\(\s*([^\s)]+)", _read(root / "CMakeLists.txt"))
    problems = [] if project and project[1] == NAME else [f"the project is not {NAME}"]
    if not _entry_path(root).is_file():
        problems.append(f"there is no entry {NAME}.json")
    return problems + (["the name starts with Slicer"] if NAME.lower().startswith("slicer") else [])


def catalogue_entry_fits_its_schema(root: Path) -> list[str]:
    """The entry has the keys and types of slicer-extension-catalog-entry-schema-v1.0.1 and a category of the index."""
    entry = json.loads(_read(_entry_path(root)))
    problems = [f"{key} is missing" for key in REQUIRED_KEYS if key not in entry]
    for key, value in entry.items():
        if key not in ENTRY_KEYS:
            problems.append(f"{key} is not in the schema")
        elif type(value) is not ENTRY_KEYS[key]:
            problems.append(f"{key} is no {ENTRY_KEYS[key].__name__}")
    if entry.get("tier", 1) not in range(1, 6):
        problems.append("the tier is not 1 to 5")
    if entry.get("category") not in CATEGORIES:
        problems.append(f"the category {entry.get('category')} is none of {CATEGORIES}")
    return problems


def catalogue_entry_agrees_with_cmake(root: Path) -> list[str]:
    """Repository and dependencies are the same in the entry and in CMake; the repository is Slicer something."""
    entry, values = json.loads(_read(_entry_path(root))), _metadata(root)
    problems = []
    address = entry.get("scm_url", "").removesuffix(".git").rstrip("/")
    if not re.fullmatch(r"https://[^/]+/.+/Slicer[^/]+", address):
        problems.append(f"{address} is no https address of a repository Slicer...")
    owner_and_name = "/".join(address.split("/")[-2:])
    addresses = " ".join(values.get(key, "") for key in ("HOMEPAGE", "ICONURL", "SCREENSHOTURLS")).split()
    problems += [f"{one} is not in {owner_and_name}" for one in addresses if f"/{owner_and_name}" not in one]
    depends = [name for name in values.get("DEPENDS", "").split() if name != "NA"]
    if entry.get("build_dependencies", []) != depends:
        problems.append(f"the entry depends on {entry.get('build_dependencies')}, CMake on {depends}")
    return problems


def licence_is_in_the_root(root: Path) -> list[str]:
    """A licence file lies in the root, and README names its licence."""
    problems = [] if any((root / name).is_file() for name in LICENCES) else ["there is no LICENSE"]
    return problems + ([] if "Apache-2.0" in _read(root / "README.md") else ["README does not name Apache-2.0"])


def readme_has_what_reviewers_look_for(root: Path) -> list[str]:
    """README has a picture, a tutorial, how to cite, the modules, sample data and the purpose."""
    text = _read(root / "README.md")
    wanted = {
        "a picture": r"!\[[^\]]+\]\([^)]+\)",
        "a tutorial": r"docs/tutorial\.md",
        "how to cite": r"(?i)cite",
        "the module's name": "Kidney Parsing",
        "sample data": r"Sample Data",
        "its purpose": "(?i)research use only",
    }
    problems = [f"README lacks {what}" for what, pattern in wanted.items() if not re.search(pattern, text)]
    return problems + (["README has more than 130 lines"] if text.count("\n") > 130 else [])


def links_lead_somewhere(root: Path) -> list[str]:
    """Every relative link and picture of README and docs is a file of the tree."""
    problems = []
    for page in (root / "README.md", *sorted((root / "docs").glob("*.md"))):
        for target in re.findall(r"\]\(([^)\s#]+)", _read(page)):
            if "://" not in target and not (page.parent / target).exists():
                problems.append(f"{page.relative_to(root)} links to {target}, which is missing")
    return problems


def file_scope_imports_are_everywhere(root: Path) -> list[str]:
    """At file scope the module imports only what every Slicer has, and light modules of its library."""
    allowed = set(sys.stdlib_module_names) | SLICER_PACKAGES | {MODULE_LIBRARY, "KidneyParsingLib"}
    problems = []
    for path in _module_scripts(root):
        for name in _imported(_tree(path).body):
            if name.split(".")[0] not in allowed:
                problems.append(f"{path.name} imports {name}")
            elif name.split(".")[0] == "KidneyParsingLib" and name not in LIGHT_MODULES:
                problems.append(f"{path.name} imports {name}, which may be slow, when Slicer starts")
    return problems


def torch_is_not_imported(root: Path) -> list[str]:
    """The module never imports torch, not even in a function: the engine's process does."""
    return [
        f"{path.name} imports {name}"
        for path in _module_scripts(root)
        for name in _imported(list(ast.walk(_tree(path))))
        if name.split(".")[0].startswith(TORCH)
    ]


def nothing_runs_at_file_scope(root: Path) -> list[str]:
    """Importing the module defines things and does nothing, but for finding its own library."""
    harmless = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef, ast.Assign, ast.AnnAssign, ast.Try)
    problems = []
    for path in _module_scripts(root):
        for node in _tree(path).body:
            is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            if not isinstance(node, harmless) and not is_text and ast.unparse(node) != "addLibraryToPath()":
                problems.append(f"{path.name} runs {ast.unparse(node)!r}")
    return problems


def requirements_spare_what_is_there(root: Path) -> list[str]:
    """requirements.txt is the library's list without what Slicer and the PyTorch extension bring; versions are >=."""
    lines = _requirements(_read(root / NAME / "Resources" / "requirements.txt").splitlines())
    spared = BROUGHT_BY_SLICER | {TORCH}
    library = [line for line in _library_requirements(root) if _distribution(line) not in spared]
    problems = [f"{line} comes with Slicer or PyTorch" for line in lines if _distribution(line) in spared]
    problems += [f"{line} pins a version" for line in lines if ">=" not in line or "==" in line]
    return problems + (
        [] if sorted(lines) == sorted(library) else [f"the library needs {library}, the file has {lines}"]
    )


def widgets_in_code_are_in_the_ui(root: Path) -> list[str]:
    """Every widget that code takes from `ui` has its name in a .ui file."""
    names = set(_widgets(root))
    problems = []
    for path in _module_scripts(root):
        used = {
            node.attr
            for node in ast.walk(_tree(path))
            if isinstance(node, ast.Attribute)
            and ast.unparse(node.value) in ("self.ui", "self._ui", "ui", "self._widget.ui")
        }
        problems += [f"{path.name} uses {name}" for name in sorted(used - names)]
    return problems


def bound_widgets_fit_their_parameters(root: Path) -> list[str]:
    """Every SlicerParameterName is a parameter whose type the widget's class can be bound to."""
    fields, enums = _parameters(root), _enums(root)
    problems = []
    for name, (kind, parameter) in _bound(root).items():
        if parameter not in fields:
            problems.append(f"{name} is bound to {parameter}, which is no parameter")
        elif kind not in BINDABLE:
            problems.append(f"{name} is a {kind}, which cannot be bound")
        elif _sort(fields[parameter], enums) not in BINDABLE[kind] and "Choice" not in BINDABLE[kind]:
            problems.append(f"{name}, a {kind}, cannot show {parameter}: {fields[parameter]}")
        elif "Choice" in BINDABLE[kind] and not _is_choice(fields[parameter], enums):
            problems.append(f"{name}, a {kind}, needs a Choice or an Enum, not {fields[parameter]}")
        elif kind in RANGED_WIDGETS and "WithinRange" not in fields[parameter]:
            problems.append(f"{name}, a {kind}, needs WithinRange")
    return problems


def icons_have_their_sizes(root: Path) -> list[str]:
    """The icon is 128 x 128, thumbnails of sample data are 260 x 280."""
    icons = root / NAME / "Resources" / "Icons"
    problems = [] if (icons / f"{NAME}.png").is_file() else ["there is no icon"]
    for path in sorted(icons.glob("*.png")):
        wanted = THUMBNAIL_PIXELS if path.name.startswith("KidneyCTA") else ICON_PIXELS
        if png_size(path) != wanted:
            problems.append(f"{path.name} is {png_size(path)}, not {wanted}")
    return problems


def tree_is_small(root: Path) -> list[str]:
    """The checkout without its history leaves room below the index's 100 MB; no file is large for git."""
    sizes = {path: path.stat().st_size / MB for path in _files(root)}
    problems = [f"{path.name} has {size:.0f} MB" for path, size in sizes.items() if size > MOST_FILE_MB]
    total = sum(sizes.values())
    return problems + ([f"the tree has {total:.0f} MB"] if total > MOST_TREE_MB else [])


def lines_end_in_lf(root: Path) -> list[str]:
    """No text file has a carriage return."""
    texts = [path for path in _files(root) if path.suffix in TEXT_SUFFIXES or path.name in ("Makefile", "LICENSE")]
    return [f"{path.relative_to(root)} has CR" for path in texts if b"\r" in path.read_bytes()]


RULES: tuple[Rule, ...] = (
    cmake_lists_files,
    only_the_module_is_in_its_folder,
    extension_metadata_is_filled,
    project_has_the_name_of_its_entry,
    catalogue_entry_fits_its_schema,
    catalogue_entry_agrees_with_cmake,
    licence_is_in_the_root,
    readme_has_what_reviewers_look_for,
    links_lead_somewhere,
    file_scope_imports_are_everywhere,
    torch_is_not_imported,
    nothing_runs_at_file_scope,
    requirements_spare_what_is_there,
    widgets_in_code_are_in_the_ui,
    bound_widgets_fit_their_parameters,
    icons_have_their_sizes,
    tree_is_small,
    lines_end_in_lf,
)


def png_size(path: Path) -> tuple[int, int] | None:
    """Width and height in pixels from the header of a PNG file; None if it is none."""
    content = path.read_bytes()[:24]
    return struct.unpack(">II", content[16:24]) if content[:8] == b"\x89PNG\r\n\x1a\n" else None


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in LEFT_OUT or path.name.endswith(".egg-info"):
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.suffix != ".pyc":
            yield path


def _cmake_list(text: str, name: str) -> list[str]:
    found = re.search(rf"set\({name}\n(.*?)\)", text, re.DOTALL)
    return found[1].split() if found else []


def _metadata(root: Path) -> dict[str, str]:
    text = _read(root / "CMakeLists.txt")
    return dict(re.findall(r'^set\(EXTENSION_(\w+) "([^"\n]+)"\)', text, re.MULTILINE))


def _entry_path(root: Path) -> Path:
    return root / "Resources" / f"{NAME}.json"


def _module_scripts(root: Path) -> list[Path]:
    return [path for path in _files(root / NAME) if path.suffix == ".py"]


def _tree(path: Path) -> ast.Module:
    return ast.parse(_read(path))


def _imported(nodes: list[ast.AST]) -> list[str]:
    """Full names of the modules that these statements import, also within a `try`, but not relative ones."""
    names = []
    for node in nodes:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.append(node.module)
        elif isinstance(node, (ast.Try, ast.If)):
            names += _imported([*node.body, *node.orelse])
    return names


def _requirements(lines: list[str]) -> list[str]:
    return [line.strip() for line in lines if line.strip() and not line.startswith(("#", "-"))]


def _library_requirements(root: Path) -> list[str]:
    # Python 3.10 has no tomllib.
    block = re.search(r"^dependencies = \[\n(.*?)^\]", _read(root / "pyproject.toml"), re.DOTALL | re.MULTILINE)
    return re.findall(r'"([^"]+)"', block[1]) if block else []


def _distribution(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower()


def _widgets(root: Path) -> dict[str, object]:
    import xml.etree.ElementTree as ElementTree

    found = {}
    for path in sorted((root / NAME / "Resources" / "UI").glob("*.ui")):
        elements = ElementTree.parse(path).iter()
        found |= {e.get("name"): e for e in elements if e.tag in ("widget", "action", "layout", "spacer")}
    return found


def _bound(root: Path) -> dict[str, tuple[str, str]]:
    """Class and parameter of every widget with a SlicerParameterName, by the widget's name."""
    found = {}
    for name, widget in _widgets(root).items():
        for entry in widget.findall("property[@name='SlicerParameterName']"):
            found[name] = (widget.get("class"), entry.findtext("string"))
    return found


def _classes(root: Path) -> list[ast.ClassDef]:
    return [node for path in _module_scripts(root) for node in _tree(path).body if isinstance(node, ast.ClassDef)]


def _parameters(root: Path) -> dict[str, str]:
    """Annotations of the parameter node's fields, and of its packs' fields by dotted names."""
    classes = {node.name: node for node in _classes(root)}
    fields = {}
    for node in classes.values():
        if "parameterNodeWrapper" in [ast.unparse(decorator) for decorator in node.decorator_list]:
            fields |= _fields(node)
    for name, annotation in list(fields.items()):
        if annotation in classes:
            fields |= {f"{name}.{inner}": kind for inner, kind in _fields(classes[annotation]).items()}
    return fields


def _fields(node: ast.ClassDef) -> dict[str, str]:
    return {item.target.id: ast.unparse(item.annotation) for item in node.body if isinstance(item, ast.AnnAssign)}


def _enums(root: Path) -> set[str]:
    return {node.name for node in _classes(root) if any(ast.unparse(base).endswith("Enum") for base in node.bases)}


def _sort(annotation: str, enums: set[str]) -> str:
    inner = annotation.removeprefix("Annotated[").split(",")[0]
    if "vtkMRML" in inner:
        return "node"
    return "Enum" if inner in enums else inner.split(".")[-1]


def _is_choice(annotation: str, enums: set[str]) -> bool:
    return "Choice(" in annotation or _sort(annotation, enums) == "Enum"
