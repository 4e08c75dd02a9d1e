"""Missing Python packages are installed after one question, or a sentence says what to do.

The stand-ins follow Slicer v5.12.3 (Base/Python/slicer/packaging.py, util.py), v5.10.0 (util.py) and the PyTorch
extension (PyTorchUtils.py): same parameters, same answers, same errors.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import types
from pathlib import Path
from types import SimpleNamespace
from urllib.error import HTTPError, URLError

import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

import module_helpers  # noqa: E402
from module_helpers import REQUIREMENTS  # noqa: E402

Dependencies = module_helpers.import_helper("Dependencies")

KEPT = {"numpy": "2.4.6", "scipy": "1.17.1", "SimpleITK": "2.5.5", "pydicom": "3.0.2", "vtk": "9.6.2"}
OURS = {"torch": "2.8.0+cu128", "safetensors": "0.6.2", "connected-components-3d": "3.24.0"}
DICOM = {"highdicom": "0.28.2"}


class FakePip:
    """Slicer's installers: what they were asked, what they install, whether they fail."""

    def __init__(self, installed: dict[str, str]) -> None:
        self.installed = installed
        self.calls: list[tuple] = []
        self.error: Exception | None = None
        self.found_at_once = True

    def ensure(
        self,
        requirements,
        constraints=None,
        skip_packages=None,
        prompt_install=True,
        prompt_restart=True,
        requester=None,
        skip_in_testing=True,
        show_progress=True,
    ) -> None:
        """slicer.packaging.pip_ensure of 5.12."""
        assert not prompt_install, "the user was asked already"
        self._install(requirements, Path(constraints).read_text(encoding="utf-8"))

    def install(self, requirements) -> None:
        """slicer.util.pip_install of 5.10: a list is passed on as it is."""
        assert type(requirements) in (str, list) and requirements[-2] == "-c"
        self._install(requirements[:-2], Path(requirements[-1]).read_text(encoding="utf-8"))

    def _install(self, requirements, constraints: str) -> None:
        self.calls.append((requirements, constraints.split()))
        if self.error:
            raise self.error
        if self.found_at_once:
            self.installed.update(
                {name: (OURS | DICOM)[name] for name in (line.split(">=")[0] for line in requirements)}
            )


@pytest.fixture
def installed(monkeypatch) -> dict[str, str]:
    """Versions by distribution; all is there unless a test takes something away."""
    versions = KEPT | OURS | DICOM
    monkeypatch.setattr(Dependencies, "_installedVersion", versions.get)
    return versions


@pytest.fixture
def questions(monkeypatch) -> list[tuple[str, str]]:
    """The questions that the user saw; the user agrees."""
    asked: list[tuple[str, str]] = []

    def ask(text, windowTitle=None, parent=None, **kwargs):
        asked.append((text, windowTitle))
        return True

    monkeypatch.setattr(slicer, "app", SimpleNamespace(testingEnabled=lambda: False), raising=False)
    util = SimpleNamespace(confirmOkCancelDisplay=ask, showStatusMessage=lambda message, duration=0: True)
    monkeypatch.setattr(slicer, "util", util, raising=False)
    monkeypatch.setattr(Dependencies, "hardwareNotes", lambda: ["The driver is too old."])
    return asked


@pytest.fixture(params=["5.12", "5.10"])
def pip(request, monkeypatch, installed, questions) -> FakePip:
    """Slicer's pip in either version."""
    fake = FakePip(installed)
    if request.param == "5.12":
        packaging = types.ModuleType("slicer.packaging")
        packaging.pip_ensure = fake.ensure
        monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
    else:
        monkeypatch.setitem(sys.modules, "slicer.packaging", None)
        slicer.util.pip_install = fake.install
    return fake


@pytest.fixture
def pytorch(monkeypatch, installed) -> SimpleNamespace:
    """The PyTorch extension: its calls, and what comes of them."""
    state = SimpleNamespace(calls=[], error=None, agrees=True)

    class PyTorchUtilsLogic:
        def installTorch(
            self,
            askConfirmation=False,
            forceComputationBackend=None,
            torchVersionRequirement=None,
            torchvisionVersionRequirement=None,
        ):
            state.calls.append((askConfirmation, torchVersionRequirement))
            if state.error:
                raise state.error
            if not state.agrees:
                return None
            installed["torch"] = "2.8.0+cpu"
            return types.ModuleType("torch")

    module = types.ModuleType("PyTorchUtils")
    module.PyTorchUtilsLogic = PyTorchUtilsLogic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)
    return state


@pytest.fixture
def network(monkeypatch) -> dict[str, Exception | None]:
    """What comes of opening an address: nothing special, or an error."""
    answers: dict[str, Exception | None] = {}

    def urlopen(address, timeout):
        if answers.get(address):
            raise answers[address]
        return SimpleNamespace(close=lambda: None)

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    return answers


def ensure() -> None:
    Dependencies.ensureDependencies(REQUIREMENTS)


def sentence() -> str:
    """What the user is told when the packages cannot be had."""
    with pytest.raises(Dependencies.DependencyError) as caught:
        ensure()
    return str(caught.value)


def test_nothing_happens_when_all_is_there(pip, questions):
    ensure()
    assert pip.calls == [] and questions == []


def test_only_what_is_missing_is_installed_after_one_question(pip, installed, questions):
    del installed["connected-components-3d"]
    ensure()
    ((requirements, _),) = pip.calls
    assert requirements == ["connected-components-3d>=3.14"]
    ((text, title),) = questions
    assert "connected-components-3d" in text and "safetensors" not in text and title == "Kidney Parsing"


def test_torch_and_the_rest_take_one_question(pip, installed, questions, pytorch):
    for name in OURS:
        del installed[name]
    ensure()
    assert pytorch.calls == [(False, ">=2.3,<3")] and len(pip.calls) == 1 and len(questions) == 1
    assert all(name in questions[0][0] for name in OURS) and "non-commercial" in questions[0][0]


def test_the_question_about_torch_says_what_stands_in_its_way(pip, installed, questions, pytorch):
    del installed["torch"]
    ensure()
    assert "The driver is too old." in questions[0][0]
    del installed["safetensors"]
    ensure()
    assert "driver" not in questions[1][0]


def test_what_slicer_brings_is_held_at_its_version(pip, installed):
    del installed["safetensors"]
    ensure()
    ((_, constraints),) = pip.calls
    assert set(constraints) == {f"{name}=={version}" for name, version in (KEPT | {"torch": OURS["torch"]}).items()}


def test_a_version_that_pip_cannot_read_is_no_constraint(pip, installed):
    installed["SimpleITK"] = "2.5.0-custom build"
    del installed["safetensors"]
    ensure()
    assert not any("SimpleITK" in line for line in pip.calls[0][1])


def test_an_old_package_is_updated(pip, installed):
    installed["safetensors"] = "0.3.1"
    ensure()
    assert pip.calls[0][0] == ["safetensors>=0.4"]


def test_a_development_version_will_do(pip, installed):
    installed["torch"] = "2.9.0.dev20250801+cu128"
    ensure()
    assert pip.calls == []


def test_refusal_installs_nothing(pip, installed, pytorch, questions):
    del installed["torch"], installed["safetensors"]
    slicer.util.confirmOkCancelDisplay = lambda text, title: False
    text = sentence()
    assert "Nothing was installed" in text and "torch" in text and "safetensors" in text
    assert pip.calls == [] and pytorch.calls == []


def test_without_a_main_window_nobody_is_asked_and_nothing_installed(pip, installed):
    # Slicer returns None from the question then.
    del installed["safetensors"]
    slicer.util.confirmOkCancelDisplay = lambda text, title: None
    assert "Nothing was installed" in sentence() and pip.calls == []


def test_without_the_pytorch_extension_there_is_no_question(pip, installed, questions, monkeypatch):
    del installed["torch"]
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    text = sentence()
    assert "PyTorch extension" in text and "Extensions Manager" in text and "restart Slicer" in text
    assert questions == []


def test_an_old_torch_is_named_with_the_way_out(pip, installed, questions, pytorch):
    installed["torch"] = "1.13.1+cu117"
    text = sentence()
    assert "1.13.1+cu117" in text and "Uninstall" in text and "restart" in text
    assert questions == [] and pytorch.calls == []


def test_torch_that_was_not_installed_stops_the_rest(pip, installed, pytorch):
    del installed["torch"], installed["safetensors"]
    pytorch.agrees = False
    assert "PyTorch was not installed" in sentence() and pip.calls == []


@pytest.mark.parametrize("reason", [URLError("no route to host"), TimeoutError("timed out"), ValueError("bad proxy")])
def test_no_network_is_said_with_the_address_and_the_other_way(pip, installed, network, reason):
    del installed["safetensors"]
    pip.error = subprocess.CalledProcessError(1, "pip install")
    network[Dependencies.INTERNET] = reason
    text = sentence()
    assert "cannot be reached" in text and Dependencies.INTERNET in text and "without internet" in text


def test_no_network_for_torch(pip, installed, network, pytorch):
    del installed["torch"]
    pytorch.error = subprocess.CalledProcessError(1, ["PythonSlicer", "-m", "light_the_torch"])
    network[Dependencies.INTERNET] = URLError("no route to host")
    assert Dependencies.INTERNET in sentence()


def test_a_failure_with_the_network_there_is_another_sentence(pip, installed, network):
    del installed["safetensors"]
    pip.error = subprocess.CalledProcessError(1, "pip install")
    network[Dependencies.INTERNET] = HTTPError(Dependencies.INTERNET, 403, "Forbidden", None, None)
    text = sentence()
    assert "Python console" in text and "restart Slicer" in text and "cannot be reached" not in text


def test_an_index_of_ones_own_is_the_one_that_is_tried(pip, installed, network, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example.org/simple")
    network["https://mirror.example.org/simple"] = URLError("down")
    del installed["safetensors"]
    pip.error = subprocess.CalledProcessError(1, "pip install")
    assert "mirror.example.org" in sentence()


def test_a_package_that_is_seen_only_after_a_restart(pip, installed):
    del installed["safetensors"]
    pip.found_at_once = False
    text = sentence()
    assert "safetensors" in text and "restart" in text


def test_nothing_is_installed_in_testing_mode(pip, installed, questions, pytorch, monkeypatch):
    monkeypatch.setattr(slicer.app, "testingEnabled", lambda: True)
    del installed["torch"], installed["safetensors"]
    text = sentence()
    assert "torch" in text and "safetensors" in text
    assert pytorch.calls == [] and pip.calls == [] and questions == []


def test_dicom_export_asks_for_its_own_package_only(pip, installed, questions, pytorch):
    del installed["highdicom"], installed["torch"]
    Dependencies.ensureDicomExport()
    ((requirements, _),) = pip.calls
    assert requirements == ["highdicom>=0.27"] and pytorch.calls == []
    assert "highdicom" in questions[0][0] and "non-commercial" not in questions[0][0]


def test_dicom_export_cannot_be_had_where_slicer_brings_an_older_pydicom(pip, installed, questions):
    """Slicer 5.10 has pydicom 2.4, which must stay, and highdicom needs 3."""
    installed["pydicom"] = "2.4.4"
    del installed["highdicom"]
    with pytest.raises(Dependencies.DependencyError, match="need Slicer 5.12 or newer"):
        Dependencies.ensureDicomExport()
    assert pip.calls == [] and questions == []


def test_intel_macs_may_have_the_last_torch_that_there_is_for_them(installed, monkeypatch):
    """Slicer for macOS is built for them; of torch there is nothing newer than 2.2.2."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    on_mac = importlib.reload(Dependencies)
    monkeypatch.setattr(on_mac, "_installedVersion", (installed | {"torch": "2.2.2"}).get)
    assert on_mac.missingPackages(REQUIREMENTS) == []
    monkeypatch.undo()
    importlib.reload(Dependencies)
    assert Dependencies.TORCH_VERSIONS == ">=2.3,<3"


def test_dicom_export_needs_what_the_library_says():
    text = (module_helpers.MODULE_FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert all(f'"{requirement}"' in text for requirement in Dependencies.DICOM_REQUIREMENTS)


def test_the_offline_commands_in_readme_name_every_package():
    text = (module_helpers.MODULE_FOLDER.parent / "README.md").read_text(encoding="utf-8")
    lines = Path(REQUIREMENTS).read_text(encoding="utf-8").splitlines()
    wanted = [Dependencies.TORCH + Dependencies.TORCH_VERSIONS, *(line for line in lines if not line.startswith("#"))]
    install = next(line for line in text.splitlines() if "-m pip install --no-index" in line)
    assert all(f'"{requirement}"' in install and text.count(f'"{requirement}"') == 2 for requirement in wanted)
    assert all(text.count(f'"{requirement}"') == 2 for requirement in Dependencies.DICOM_REQUIREMENTS)


def test_comments_and_options_in_the_file_are_no_requirements(tmp_path, installed):
    path = tmp_path / "requirements.txt"
    path.write_text("# why\n\n--prefer-binary\n  missing-package>=1\n", encoding="utf-8")
    assert Dependencies.missingPackages(str(path)) == ["missing-package>=1"]


def test_installed_packages_are_seen_without_importing_them():
    code = (
        "import sys, types; sys.path.insert(0, sys.argv[1]);"
        "sys.modules['slicer'] = types.ModuleType('slicer');"
        "i18n = sys.modules['slicer.i18n'] = types.ModuleType('slicer.i18n'); i18n.tr = str;"
        "from KidneyParsingModuleLib.Dependencies import missingPackages;"
        "assert missingPackages(sys.argv[2]) == [] and 'torch' not in sys.modules"
    )
    pytest.importorskip("torch", reason="torch is not installed")
    subprocess.run([sys.executable, "-c", code, str(module_helpers.MODULE_FOLDER), REQUIREMENTS], check=True)
