"""Missing Python packages are installed after asking, or named with what to do; torch is never imported for it."""

import subprocess
import sys
import types
from types import SimpleNamespace

import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

import qt_stubs  # noqa: E402

qt_stubs.install()

from KidneyParsingModuleLib import Dependencies  # noqa: E402

REQUIREMENTS = str(qt_stubs.MODULE_FOLDER / "Resources" / "requirements.txt")
ALL = {"torch", "safetensors", "connected-components-3d"}


@pytest.fixture
def installed(monkeypatch):
    """The packages that count as installed; a normal Slicer, not one in testing mode."""
    names = set(ALL)
    monkeypatch.setattr(Dependencies, "_isInstalled", names.__contains__)
    monkeypatch.setattr(slicer, "app", SimpleNamespace(testingEnabled=lambda: False), raising=False)
    return names


@pytest.fixture
def pip_ensure(monkeypatch):
    calls = []
    packaging = types.ModuleType("slicer.packaging")
    packaging.pip_ensure = lambda requirements, requester: calls.append(requirements)
    monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
    return calls


@pytest.fixture
def pytorch_extension(monkeypatch, installed):
    calls = []

    def install(**options):
        calls.append(options)
        installed.add("torch")
        return "torch"

    module = types.ModuleType("PyTorchUtils")
    module.PyTorchUtilsLogic = lambda: SimpleNamespace(installTorch=install)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)
    return calls


def test_nothing_happens_when_all_is_there(installed, pip_ensure):
    Dependencies.ensureDependencies(REQUIREMENTS)
    assert pip_ensure == []


def test_only_what_is_missing_is_installed(installed, pip_ensure):
    installed.remove("connected-components-3d")
    Dependencies.ensureDependencies(REQUIREMENTS)
    assert pip_ensure == [["connected-components-3d>=3.14"]]


def test_torch_without_the_pytorch_extension_is_a_clear_sentence(installed, monkeypatch):
    installed.remove("torch")
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    with pytest.raises(Dependencies.DependencyError, match="PyTorch extension.*Extensions Manager"):
        Dependencies.ensureDependencies(REQUIREMENTS)


def test_torch_comes_through_the_pytorch_extension_after_asking(installed, pytorch_extension):
    installed.remove("torch")
    Dependencies.ensureDependencies(REQUIREMENTS)
    assert pytorch_extension == [{"askConfirmation": True, "torchVersionRequirement": ">=2.3,<3"}]


def test_nothing_is_installed_in_testing_mode(installed, pytorch_extension, pip_ensure, monkeypatch):
    monkeypatch.setattr(slicer.app, "testingEnabled", lambda: True)
    for name in ("torch", "safetensors"):
        installed.remove(name)
        with pytest.raises(Dependencies.DependencyError):
            Dependencies.ensureDependencies(REQUIREMENTS)
        installed.add(name)
    assert pytorch_extension == [] and pip_ensure == []


@pytest.mark.parametrize("agrees", [True, False])
def test_slicer_without_its_packaging_module_asks_itself(installed, monkeypatch, agrees):
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    calls = []
    util = SimpleNamespace(confirmOkCancelDisplay=lambda text: agrees, pip_install=calls.append)
    monkeypatch.setattr(slicer, "util", util, raising=False)
    installed.remove("safetensors")
    if agrees:
        Dependencies.ensureDependencies(REQUIREMENTS)
    else:
        with pytest.raises(Dependencies.DependencyError):
            Dependencies.ensureDependencies(REQUIREMENTS)
    assert calls == (["safetensors>=0.4"] if agrees else [])


def test_installed_packages_are_seen_without_importing_them():
    code = (
        "import sys, types; sys.path.insert(0, sys.argv[1]);"
        "sys.modules['slicer'] = types.ModuleType('slicer');"
        "i18n = sys.modules['slicer.i18n'] = types.ModuleType('slicer.i18n'); i18n.tr = str;"
        "from KidneyParsingModuleLib.Dependencies import _isInstalled;"
        "assert _isInstalled('torch') and not _isInstalled('no-such-package') and 'torch' not in sys.modules"
    )
    pytest.importorskip("torch", reason="torch is not installed")
    subprocess.run([sys.executable, "-c", code, str(qt_stubs.MODULE_FOLDER)], check=True)
