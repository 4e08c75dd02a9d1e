"""The module's runner of the engine with real child processes, PySide6 standing in for PythonQt."""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from harness import start  # noqa: E402

APPLICATION = start.install()

from KidneyParsingModuleLib.EngineCommand import EngineCommand  # noqa: E402
from KidneyParsingModuleLib.EngineListener import EngineState  # noqa: E402
from KidneyParsingModuleLib.EngineProcess import EngineProcess  # noqa: E402
from KidneyParsingModuleLib.SegmentationRunner import SegmentationRunner  # noqa: E402
from PySide6.QtCore import QProcess, QProcessEnvironment  # noqa: E402

from KidneyParsingLib.engine.messages import SegmentRequest  # noqa: E402
from KidneyParsingLib.inference.options import Options  # noqa: E402
from KidneyParsingLib.volumes.geometry import image_from_array  # noqa: E402

FAKE_ENGINE = Path(__file__).parents[1] / "engine" / "fake_engine.py"


class Recorder:
    """Listens to the engine or to a run and remembers what it heard."""

    def __init__(self) -> None:
        self.heard = []
        self.states = []
        self.log = ""

    def onStateChanged(self, state) -> None:
        self.states.append(state.value)

    def onLog(self, text) -> None:
        self.log += text

    def __getattr__(self, name):
        if not name.startswith("on"):
            raise AttributeError(name)
        return lambda *values: self.heard.append((name, *values))

    def named(self, name) -> list:
        return [values for heard, *values in self.heard if heard == name]

    @property
    def ending(self) -> str:
        endings = [name for name, *_ in self.heard if name != "onProgress"]
        assert len(endings) <= 1, endings
        return endings[0] if endings else ""


def command(steps: int = 5, program: str = sys.executable) -> EngineCommand:
    return EngineCommand(program, [str(FAKE_ENGINE), str(steps)], QProcessEnvironment.systemEnvironment())


@pytest.fixture
def listener():
    return Recorder()


@pytest.fixture
def start_engine(listener):
    engines = []

    def start(*arguments, **options) -> EngineProcess:
        engines.append(EngineProcess(listener, lambda: command(*arguments, **options)))
        return engines[-1]

    yield start
    for engine in engines:
        engine.close()


@pytest.fixture
def request_for(tmp_path):
    import SimpleITK as sitk

    array = np.full((20, 24, 28), -100, np.int16)
    array[5:10, 5:10, 5:10] = 60
    sitk.WriteImage(image_from_array(array, np.diag([2.0, 2.0, 2.0, 1.0])), str(tmp_path / "ct.nrrd"))

    def make(model="plain", id="1") -> SegmentRequest:
        return SegmentRequest(id, str(tmp_path / "ct.nrrd"), str(tmp_path / "out.seg.nrrd"), model)

    return make


def test_run_ends_with_a_result(start_engine, listener, request_for):
    engine = start_engine()
    engine.start(request_for())
    start.run_until(lambda: listener.ending)
    fractions = [fraction for fraction, *_ in listener.named("onProgress")]
    assert listener.ending == "onResult" and Path(listener.named("onResult")[0][0].output).exists()
    assert fractions == sorted(fractions) and len(fractions) > 3
    assert listener.states == ["starting", "running", "idle"]


def test_second_run_uses_the_same_process(start_engine, listener, request_for):
    engine = start_engine()
    engine.start(request_for())
    start.run_until(lambda: listener.ending)
    pid = engine._process.processId()
    listener.heard.clear()
    engine.start(request_for(id="2"))
    start.run_until(lambda: listener.ending)
    assert listener.ending == "onResult" and engine._process.processId() == pid


def test_second_start_during_a_run_is_refused(start_engine, request_for):
    engine = start_engine()
    engine.start(request_for())
    with pytest.raises(RuntimeError):
        engine.start(request_for(id="2"))


def test_event_loop_is_never_blocked(start_engine, listener, request_for):
    engine = start_engine()
    longest, last = 0.0, time.monotonic()
    engine.start(request_for())
    while not listener.ending:
        APPLICATION.processEvents()
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    assert longest < 0.2


def test_cancel_while_starting(start_engine, listener, request_for):
    engine = start_engine()
    engine.start(request_for())
    engine.cancel()
    start.run_until(lambda: listener.ending)
    assert listener.ending == "onCancelled" and engine.state is EngineState.IDLE


@pytest.mark.parametrize("model", ["plain", "deaf"])
def test_cancel_takes_at_most_a_second_and_a_new_run_works(start_engine, listener, request_for, tmp_path, model):
    engine = start_engine(50 if model == "plain" else 5)
    engine.start(request_for(model))
    start.run_until(lambda: any(phase == "Predicting" for _, phase, _ in listener.named("onProgress")))
    began = time.monotonic()
    engine.cancel()
    start.run_until(lambda: listener.ending)
    assert time.monotonic() - began < 1.0
    assert listener.ending == "onCancelled" and os.listdir(tmp_path) == ["ct.nrrd"]
    listener.heard.clear()
    engine.start(request_for(id="2"))
    start.run_until(lambda: listener.ending)
    assert listener.ending == "onResult"


def test_cancel_without_a_run_does_nothing(start_engine, listener):
    start_engine().cancel()
    assert listener.heard == [] and listener.states == []


def test_crash_is_told_and_a_new_run_works(start_engine, listener, request_for):
    engine = start_engine()
    engine.start(request_for("crashing"))
    start.run_until(lambda: listener.ending)
    assert listener.ending == "onError" and "stopped unexpectedly" in listener.named("onError")[0][0]
    listener.heard.clear()
    engine.start(request_for(id="2"))
    start.run_until(lambda: listener.ending)
    assert listener.ending == "onResult"


def test_error_is_the_engines_sentence_and_the_traceback_is_logged(start_engine, listener, request_for):
    engine = start_engine()
    engine.start(request_for("broken"))
    start.run_until(lambda: listener.ending)
    assert "ValueError: no such thing" in listener.named("onError")[0][0] and "Traceback" in listener.log


def test_program_that_is_missing(start_engine, listener, request_for):
    engine = start_engine(program="/nowhere/PythonSlicer")
    engine.start(request_for())
    start.run_until(lambda: listener.ending)
    assert listener.ending == "onError" and engine.state is EngineState.IDLE


def test_close_in_the_middle_ends_the_process_and_is_silent(start_engine, listener, request_for):
    engine = start_engine(200)
    engine.start(request_for())
    start.run_until(lambda: listener.named("onProgress"))
    process = engine._process
    engine.close()
    assert process.state() == QProcess.NotRunning and listener.ending == ""


@pytest.fixture
def start_runner(listener, scene):
    runners = []

    def start(steps: int = 5) -> SegmentationRunner:
        runners.append(
            SegmentationRunner(listener, scene, lambda runner: EngineProcess(runner, lambda: command(steps)))
        )
        return runners[-1]

    yield start
    for runner in runners:
        runner.close()


def segmentations(scene) -> int:
    return scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")


def test_volume_node_becomes_a_segmentation_in_place(start_runner, listener, scene, ct_node, temp):
    from KidneyParsingLib.mrml.review_views import segmentVolumesMl

    runner = start_runner()
    runner.start(ct_node, Options("plain"))
    assert runner.isRunning
    start.run_until(lambda: listener.ending)
    ((node, reply),) = listener.named("onFinished")
    assert segmentVolumesMl(node) == {"kidney_right": pytest.approx(1.0)} and reply.seconds > 0
    bounds, ct_bounds = [0.0] * 6, [0.0] * 6
    node.GetRASBounds(bounds)
    ct_node.GetRASBounds(ct_bounds)
    assert all(ct_bounds[i] <= bounds[i] and bounds[i + 1] <= ct_bounds[i + 1] for i in (0, 2, 4))
    assert os.listdir(temp) == [] and not runner.isRunning


def test_segmentation_follows_the_transform_of_its_volume(start_runner, listener, scene, ct_node):
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    ct_node.SetAndObserveTransformNodeID(transform.GetID())
    start_runner().start(ct_node, Options("plain"))
    start.run_until(lambda: listener.ending)
    assert listener.named("onFinished")[0][0].GetTransformNodeID() == transform.GetID()


def test_every_run_makes_a_node_of_its_own(start_runner, listener, scene, ct_node):
    runner = start_runner()
    for _ in range(2):
        listener.heard.clear()
        runner.start(ct_node, Options("plain"))
        start.run_until(lambda: listener.ending)
    assert segmentations(scene) == 2


def test_volume_removed_during_the_run(start_runner, listener, scene, ct_node, temp):
    runner = start_runner()
    runner.start(ct_node, Options("plain"))
    scene.RemoveNode(ct_node)
    start.run_until(lambda: listener.ending)
    assert "removed from the scene" in listener.named("onFailed")[0][0]
    assert segmentations(scene) == 0 and os.listdir(temp) == []


def test_cancel_leaves_the_scene_and_no_files(start_runner, listener, scene, ct_node, temp):
    runner = start_runner(200)
    runner.start(ct_node, Options("plain"))
    start.run_until(lambda: listener.named("onProgress"))
    runner.cancel()
    start.run_until(lambda: listener.ending)
    assert listener.ending == "onCancelled" and segmentations(scene) == 0 and os.listdir(temp) == []


def test_close_in_the_middle_leaves_no_files(start_runner, listener, scene, ct_node, temp):
    runner = start_runner(200)
    runner.start(ct_node, Options("plain"))
    start.run_until(lambda: listener.named("onProgress"))
    runner.close()
    assert os.listdir(temp) == []


def test_empty_volume_is_refused(start_runner, scene, temp):
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    with pytest.raises(RuntimeError, match="empty"):
        start_runner().start(node, Options("plain"))
    assert os.listdir(temp) == []
