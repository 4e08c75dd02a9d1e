"""The Python packages that the engine needs, installed when they are first needed and after asking."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import slicer
from slicer.i18n import tr as _

TORCH_VERSIONS = ">=2.3,<3"
REQUESTER = "KidneyParsing"


class DependencyError(RuntimeError):
    """A package is missing and was not installed; the text says what to do."""


def ensureDependencies(requirementsPath: str) -> None:
    """Install torch through the PyTorch extension, then the missing ones of a requirements file.

    Asks before each installation. SimpleITK, numpy and scipy are not in the file: Slicer's own must stay as they are.
    """
    if not _isInstalled("torch"):
        _installTorch()
    missing = [line for line in _requirements(requirementsPath) if not _isInstalled(_distribution(line))]
    if missing:
        _installPackages(missing)


def _isInstalled(distribution: str) -> bool:
    # By its metadata: importing torch takes seconds and half a gigabyte that Slicer's own process never uses.
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _requirements(path: str) -> list[str]:
    lines = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _distribution(requirement: str) -> str:
    from packaging.requirements import Requirement

    return Requirement(requirement).name


def _refuseInTesting() -> None:
    if slicer.app.testingEnabled():
        raise DependencyError("Packages are not installed in testing mode.")


def _installTorch() -> None:
    try:
        import PyTorchUtils
    except ModuleNotFoundError:
        text = _("Kidney Parsing needs the PyTorch extension. Install it in the Extensions Manager and restart Slicer.")
        raise DependencyError(text) from None
    _refuseInTesting()
    logic = PyTorchUtils.PyTorchUtilsLogic()
    if logic.installTorch(askConfirmation=True, torchVersionRequirement=TORCH_VERSIONS) is None:
        raise DependencyError(_("PyTorch was not installed; without it Kidney Parsing cannot run."))


def _installPackages(requirements: list[str]) -> None:
    _refuseInTesting()
    try:
        from slicer.packaging import pip_ensure
    except ImportError:
        # Slicer 5.10 and older.
        _installAfterAsking(requirements)
        return
    pip_ensure(requirements, requester=REQUESTER)


def _installAfterAsking(requirements: list[str]) -> None:
    question = _("Kidney Parsing needs these Python packages: {names}. Install them now?")
    if not slicer.util.confirmOkCancelDisplay(question.format(names=", ".join(requirements))):
        raise DependencyError(_("The Python packages were not installed; without them Kidney Parsing cannot run."))
    for requirement in requirements:
        slicer.util.pip_install(requirement)
