"""The Python packages that the engine needs, looked for without importing them and installed after one question.

Slicer 5.12 installs by `slicer.packaging`, 5.10 by `slicer.util.pip_install`; torch always comes through the PyTorch
extension, which knows the build for the graphics card.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from .HardwareNotes import hardwareNotes

TORCH = "torch"
# Slicer for macOS is built for Intel Macs, whose newest torch is 2.2; elsewhere nothing older than 2.3 is needed.
ON_INTEL_MAC = (sys.platform, platform.machine()) == ("darwin", "x86_64")
TORCH_VERSIONS = ">=2.2,<3" if ON_INTEL_MAC else ">=2.3,<3"
# Slicer's own packages, and torch: pip may add others beside them but never replace one of these.
KEPT_PACKAGES = ("numpy", "scipy", "SimpleITK", "pydicom", "vtk", "requests", TORCH)
DICOM_REQUIREMENTS = ("highdicom>=0.27",)
# What highdicom needs and Slicer 5.10 does not bring; it must not be replaced.
DICOM_PYDICOM = "pydicom>=3.0.1"
REQUESTER = "Kidney Parsing"
# Asked to tell whether there is any internet, where pip has no index of the user's own.
INTERNET = "https://www.slicer.org/"
INDEX_SECONDS = 5


class DependencyError(RuntimeError):
    """A package is missing and was not installed; the text says what to do."""


def ensureDependencies(requirementsPath: str) -> None:
    """Install what the engine lacks, of torch and of a requirements file, after one question for all of it.

    Returns at once if all is there. Raises DependencyError with a sentence for the user; then the engine cannot run.
    """
    networks = _(
        "The networks came with the extension; their licence (CC BY-NC-SA 4.0) allows non-commercial use only."
    )
    _ensure(lambda: missingPackages(requirementsPath), networks)


def ensureDicomExport() -> None:
    """Install what writing DICOM Segmentations needs, after a question. Raises DependencyError with a sentence."""
    if not _isSatisfied(DICOM_PYDICOM):
        raise DependencyError(_("DICOM Segmentations need Slicer 5.12 or newer; choose another format here."))
    _ensure(lambda: _missing(DICOM_REQUIREMENTS), _("They write DICOM Segmentations; all else works without them."))


def missingPackages(requirementsPath: str) -> list[str]:
    """What of torch and of a requirements file is not installed in a version that will do, torch first."""
    return _missing([TORCH + TORCH_VERSIONS, *_requirements(requirementsPath)])


def _ensure(findMissing: Callable[[], list[str]], remark: str) -> None:
    missing = findMissing()
    if not missing:
        return
    _refuseInTesting(missing)
    # Before the question: nobody should agree to what cannot be done.
    torchInstaller = _torchInstaller() if _needsTorch(missing) else None
    _ask(missing, remark)
    if torchInstaller:
        _installTorch(torchInstaller)
    others = [requirement for requirement in missing if not _isTorch(requirement)]
    if others:
        _installPackages(others)
    # Python remembers which folders it has seen.
    importlib.invalidate_caches()
    _requireNone(findMissing())


def _missing(requirements: Iterable[str]) -> list[str]:
    return [requirement for requirement in requirements if not _isSatisfied(requirement)]


def _requirements(path: str) -> list[str]:
    lines = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith(("#", "-"))]


def _isSatisfied(requirement: str) -> bool:
    from packaging.requirements import Requirement

    parsed = Requirement(requirement)
    version = _installedVersion(parsed.name)
    return version is not None and parsed.specifier.contains(version, prereleases=True)


def _installedVersion(distribution: str) -> str | None:
    # By its metadata: importing torch takes seconds and half a gigabyte that Slicer's own process never uses.
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _isTorch(requirement: str) -> bool:
    return requirement == TORCH + TORCH_VERSIONS


def _needsTorch(missing: list[str]) -> bool:
    return any(_isTorch(requirement) for requirement in missing)


def _refuseInTesting(missing: list[str]) -> None:
    if slicer.app.testingEnabled():
        text = _("Packages are not installed in testing mode; missing: {names}.")
        raise DependencyError(text.format(names=", ".join(missing)))


def _torchInstaller() -> Any:
    """The logic of the PyTorch extension. Raises DependencyError if it is missing or torch is there but of no use."""
    old = _installedVersion(TORCH)
    if old is not None:
        text = _(
            "PyTorch {old} does not suit Kidney Parsing, which needs {versions}. Uninstall it in the module "
            "PyTorch Utils, restart Slicer and press Apply again."
        )
        raise DependencyError(text.format(old=old, versions=TORCH_VERSIONS))
    try:
        import PyTorchUtils
    except ModuleNotFoundError:
        text = _(
            "Kidney Parsing needs the PyTorch extension. Install it in the Extensions Manager, restart Slicer and "
            "press Apply again."
        )
        raise DependencyError(text) from None
    return PyTorchUtils.PyTorchUtilsLogic()


def _ask(missing: list[str], remark: str) -> None:
    if not slicer.util.confirmOkCancelDisplay(_question(missing, remark), REQUESTER):
        text = _(
            "Nothing was installed, and this does not work without {names}. You will be asked again the next time."
        )
        raise DependencyError(text.format(names=", ".join(missing)))


def _question(missing: list[str], remark: str) -> str:
    size = _("0.2 GB to download, with support for an NVIDIA graphics card up to 3 GB")
    lines = [f"- {item} ({size})" if _isTorch(item) else f"- {item}" for item in missing]
    text = _(
        "Kidney Parsing needs these Python packages once:\n\n{packages}\n\nThey are downloaded into Slicer's Python, "
        "which may take some minutes; what Slicer brings stays as it is. {remark}\n\nInstall them now?"
    )
    # Whoever has an old driver should update it before PyTorch is chosen by it.
    notes = hardwareNotes() if _needsTorch(missing) else []
    return "\n\n".join([*notes, text.format(packages="\n".join(lines), remark=remark)])


def _installTorch(installer: Any) -> None:
    slicer.util.showStatusMessage(_("Installing PyTorch; this takes some minutes..."))
    try:
        # Asked already. The extension returns None if it was not installed.
        installed = installer.installTorch(askConfirmation=False, torchVersionRequirement=TORCH_VERSIONS)
    except Exception as error:  # whatever an extension that is not ours raises
        raise _failure([TORCH], INTERNET, error) from error
    finally:
        slicer.util.showStatusMessage("")
    if installed is None:
        raise DependencyError(_("PyTorch was not installed; without it Kidney Parsing cannot run."))


def _installPackages(requirements: list[str]) -> None:
    try:
        with _constraints() as constraints:
            _pipInstall(requirements, constraints)
    except Exception as error:  # pip's exit status, a missing PythonSlicer, a full disk
        raise _failure(requirements, os.environ.get("PIP_INDEX_URL") or INTERNET, error) from error


def _pipInstall(requirements: list[str], constraints: str) -> None:
    try:
        from slicer.packaging import pip_ensure
    except ImportError:
        # Slicer 5.10: a list, as the path may contain spaces.
        slicer.util.pip_install([*requirements, "-c", constraints])
        return
    # Asked already; offers to restart Slicer where a package was updated that is in use.
    pip_ensure(requirements, constraints=constraints, prompt_install=False, requester=REQUESTER)


@contextmanager
def _constraints() -> Iterator[str]:
    """The path of a file by which pip leaves the kept packages as they are, or fails."""
    with tempfile.TemporaryDirectory(prefix="KidneyParsing-") as folder:
        path = Path(folder) / "constraints.txt"
        path.write_text("".join(f"{line}\n" for line in _keptVersions()), encoding="utf-8")
        yield str(path)


def _keptVersions() -> list[str]:
    from packaging.version import InvalidVersion, Version

    lines = []
    for name in KEPT_PACKAGES:
        try:
            lines.append(f"{name}=={Version(_installedVersion(name) or '')}")
        except InvalidVersion:
            # Not installed, or a build with a version that pip would not read in a constraint.
            continue
    return lines


def _requireNone(missing: list[str]) -> None:
    if missing:
        text = _("{names} will be found after a restart of Slicer; restart it and try again.")
        raise DependencyError(text.format(names=", ".join(missing)))


def _failure(requirements: list[str], index: str, error: Exception) -> DependencyError:
    logging.error("Kidney Parsing could not install %s: %r", ", ".join(requirements), error)
    if not _isReachable(index):
        text = _(
            "{names} could not be downloaded, as {index} cannot be reached. Check the internet connection and the "
            "proxy and try again, or install without internet as README.md of the extension says."
        )
    else:
        text = _(
            "{names} could not be installed; the Python console says why. Often the disk is full or a file is in use: "
            "free some space, restart Slicer and try again."
        )
    return DependencyError(text.format(names=", ".join(requirements), index=index))


def _isReachable(index: str) -> bool:
    """Whether an address answers; only asked after an installation has failed."""
    from urllib.error import HTTPError
    from urllib.request import urlopen

    try:
        urlopen(index, timeout=INDEX_SECONDS).close()
    except HTTPError:
        return True
    except (OSError, ValueError):
        return False
    return True
