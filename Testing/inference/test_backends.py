"""Every backend gives eager float32 torch's maps, stops when it is told to, and the fastest one is chosen and kept."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from torch import nn

from KidneyParsingLib.cache import remembered
from KidneyParsingLib.errors import Cancelled, InputError
from KidneyParsingLib.inference.backends import choice
from KidneyParsingLib.inference.backends.backend import Backend
from KidneyParsingLib.inference.backends.choice import NetworkToRun, choose_backend
from KidneyParsingLib.inference.backends.torch_backend import TorchBackend
from KidneyParsingLib.inference.registry import find_network
from KidneyParsingLib.networks.checkpoint import load_network
from KidneyParsingLib.networks.configs import CONFIGS, NESTED, NetworkConfig, config, normalized
from KidneyParsingLib.networks.precision import half_type
from KidneyParsingLib.networks.registry import build
from KidneyParsingLib.volumes.volume import Volume

CPU = torch.device("cpu")
BACKENDS = ("torch", "openvino", "onnxruntime")
RELEASED = ("ba_net", "locator", "res_unet", "kid_net", "tu_net", "sc_unet", "boundary_stream_1", "l_net")
MARGIN = 0.02
MOST_ERROR = 2e-3


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIDNEYPARSING_CACHE", str(tmp_path / "cache"))


def released(name: str) -> tuple[nn.Module, NetworkConfig]:
    entry = find_network(name)
    return load_network(entry.path, entry.sha256)


@pytest.fixture(scope="session")
def a_patch(sample_ct: Volume) -> np.ndarray:
    """64 voxels a side around a kidney of the sample CTA, HU."""
    z, y, x = (n // 2 for n in sample_ct.array.shape)
    part = sample_ct.array[z - 32 : z + 32, y - 32 : y + 32, x - 64 : x]
    return part.astype(np.float32)


def eager(network: nn.Module, image: np.ndarray) -> np.ndarray:
    """The logits, and the boundary's probability where there is one, of an image (z, y, x) by torch's own instance
    normalisation in contiguous layout."""
    network.to(memory_format=torch.contiguous_format)
    run = getattr(network, "predict_with_boundary", network.predict)
    with torch.inference_mode():
        return run(torch.from_numpy(image)[None, None])[0].numpy()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", RELEASED)
def test_maps_are_those_of_eager_float32(name: str, backend: str, a_patch: np.ndarray) -> None:
    """Relative error of the logits below 2e-3, and no class changes where the first is ahead by more than 2 %."""
    if backend != "torch":
        pytest.importorskip(backend)
    network, of_network = released(name)
    image = normalized(a_patch, of_network)
    expected = eager(network, image)
    to_run = NetworkToRun(lambda: network, of_network, name, boundary=True, raw=True)
    found = choose_backend(backend, to_run)(image)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() / np.abs(expected).max() <= MOST_ERROR
    second, first = np.sort(expected[: of_network.outputs], axis=0)[-2:]
    sure = first - second > MARGIN * np.abs(expected).max()
    changed = found[: of_network.outputs].argmax(0) != expected[: of_network.outputs].argmax(0)
    assert sure.any() and not (changed & sure).any()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["ba_net", "tu_net"])
def test_probabilities_are_those_of_the_logits(name: str, backend: str, a_patch: np.ndarray) -> None:
    """Softmax over classes with the boundary's probability behind it, sigmoid of nested maps; by scipy."""
    if backend != "torch":
        pytest.importorskip(backend)
    network, of_network = released(name)
    image = normalized(a_patch, of_network)
    logits, boundary = np.split(eager(network, image), [of_network.outputs])
    probabilities = expit(logits) if of_network.activation == NESTED else softmax(logits, 0)
    found = choose_backend(backend, NetworkToRun(lambda: network, of_network, name, boundary=True))(image)
    # The logits' error is relative to the largest; softmax and sigmoid pass on at most a quarter of it.
    most = MOST_ERROR * max(1.0, float(np.abs(logits).max()) / 4)
    np.testing.assert_allclose(found, np.concatenate([probabilities, boundary]), rtol=0, atol=most)


def test_the_config_knows_which_networks_tell_boundaries() -> None:
    for entry in CONFIGS.values():
        assert entry.tells_boundary == hasattr(build(entry), "predict_with_boundary")


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_exported_network_takes_images_of_any_size(backend: str, a_patch: np.ndarray) -> None:
    if backend != "torch":
        pytest.importorskip(backend)
    network, of_network = released("ba_net")
    chosen = choose_backend(backend, NetworkToRun(lambda: network, of_network, "ba_net", raw=True))
    for size in ((32, 48, 64), (64, 32, 32)):
        image = normalized(a_patch[: size[0], : size[1], : size[2]], of_network)
        expected = eager(network, image)[: of_network.outputs]
        network.to(memory_format=torch.channels_last_3d)
        np.testing.assert_allclose(chosen(image), expected, atol=2e-3 * np.abs(expected).max())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_pass_stops_when_its_tick_raises_and_the_next_one_works(backend: str) -> None:
    if backend != "torch":
        pytest.importorskip(backend)
    network, of_network = released("ba_net")
    chosen = choose_backend(backend, NetworkToRun(lambda: network, of_network, "ba_net"))
    image = np.zeros((32, 32, 32), np.float32)
    expected = chosen(image)

    def stop(share: float) -> None:
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        chosen(image, stop)
    np.testing.assert_allclose(chosen(image), expected, atol=1e-6)


def test_torch_tells_how_much_of_the_work_is_done() -> None:
    """A U-Net does more in its fine levels, at both ends: the shares rise from 0, and by convolutions' weights."""
    of_network = config("plain_unet", "tiny")
    shares: list[float] = []
    TorchBackend(build(of_network).eval(), of_network, CPU)(np.zeros((32, 32, 32), np.float32), shares.append)
    assert shares[0] == 0 and shares == sorted(shares) and 0.8 < shares[-1] < 1
    # The second convolution of the first level has 8 x 8 x 27 weights for every voxel of the whole image.
    steps = np.diff([*shares, 1.0])
    assert steps[1] == pytest.approx(8 * steps[0], rel=1e-6)


def test_torch_without_numpys_bridge_has_the_same_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch 2.2, the last for Intel Macs, beside numpy 2."""
    image = np.random.default_rng(0).normal(size=(16, 16, 16)).astype(np.float32)
    backend = TorchBackend(build(config("plain_unet", "tiny")), config("plain_unet", "tiny"), CPU)
    expected = backend(image)

    def fail(*arguments: object) -> None:
        raise RuntimeError("Numpy is not available")

    monkeypatch.setattr(torch, "from_numpy", fail)
    monkeypatch.setattr(torch.Tensor, "numpy", fail)
    found = backend(image)
    assert np.array_equal(found, expected) and found.flags.writeable


def test_a_compiled_network_is_what_torch_compile_makes_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler itself needs a C++ compiler and a minute; here it only doubles what it is given."""
    monkeypatch.setattr(torch, "compile", lambda run, **how: lambda image: 2 * run(image))
    of_network = config("plain_unet", "tiny")
    network, image = build(of_network).eval(), np.ones((16, 16, 16), np.float32)
    to_run = NetworkToRun(lambda: network, of_network, "")
    plain, compiled = (choose_backend(name, to_run) for name in ("torch", "compiled"))
    np.testing.assert_allclose(compiled(image, lambda share: None), 2 * plain(image), rtol=1e-6)


def test_half_precision_is_near() -> None:
    if half_type(CPU) is None:
        pytest.skip("this processor does not compute in bfloat16")
    network, of_network = released("ba_net")
    image = np.random.default_rng(0).standard_normal((32, 32, 32), np.float32)
    exact = TorchBackend(network, of_network, CPU, raw=True)(image)
    half = TorchBackend(network, of_network, CPU, half_type(CPU), raw=True)(image)
    assert 1e-4 < np.abs(half - exact).max() / np.abs(exact).max() < 0.1


class Timed:
    """A backend that only says how long it takes."""

    device = "cpu"

    def __init__(self, name: str, seconds: float) -> None:
        self.name, self.seconds, self.calls = name, seconds, 0


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Replaces all backends by ones of known speed; answers the list of those that were timed."""

    def use(**seconds: float) -> list[str]:
        timed: list[str] = []
        monkeypatch.setattr(choice, "find_spec", lambda name: name in (*seconds, "onnx") or None)
        monkeypatch.setattr(choice, "version", lambda name: "1.0")
        for step in ("_made", "_agreeing"):
            monkeypatch.setattr(choice, step, lambda name, to_run: Timed(name, seconds[name]))
        monkeypatch.setattr(choice, "_torch", lambda to_run, *how: Timed("torch", seconds["torch"]))
        monkeypatch.setattr(choice, "_seconds", lambda backend, image: timed.append(backend.name) or backend.seconds)
        return timed

    return use


def auto(key: str = "weights") -> Backend:
    of_network = config("plain_unet", "tiny")
    return choose_backend("auto", NetworkToRun(nn.Identity, of_network, key))


def test_the_fastest_installed_backend_is_chosen_and_remembered(probed: Callable) -> None:
    timed = probed(torch=2.0, openvino=1.0, onnxruntime=3.0)
    assert auto().name == "openvino" and timed == ["torch", "openvino", "onnxruntime"]
    assert list(remembered("backends").values()) == ["openvino"]
    assert auto().name == "openvino" and len(timed) == 3
    auto("other weights")
    assert len(timed) == 6


def test_nothing_is_timed_where_there_is_only_torch(probed: Callable) -> None:
    timed = probed(torch=1.0)
    assert auto().name == "torch" and not timed


def test_a_backend_that_fails_is_never_the_fastest() -> None:
    class Broken(Timed):
        def __call__(self, image: np.ndarray) -> np.ndarray:
            raise RuntimeError("not on this machine")

    assert choice._seconds(Broken("openvino", 0.0), np.zeros(1)) == float("inf")


def test_a_backend_that_computes_something_else_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(Timed):
        def __call__(self, image: np.ndarray) -> np.ndarray:
            return image.sum()

    monkeypatch.setattr(choice, "find_spec", lambda name: True)
    monkeypatch.setitem(choice._CONSTRUCTORS, "openvino", lambda to_run: Wrong("openvino", 0.0))
    of_network = config("plain_unet", "tiny")
    with pytest.raises(InputError, match="cannot run the network plain_unet here; choose --backend torch"):
        choose_backend("openvino", NetworkToRun(lambda: build(of_network).eval(), of_network, "weights"))


def test_a_backend_that_is_asked_for_but_not_installed_is_refused_with_the_remedy(probed: Callable) -> None:
    probed(torch=1.0)
    to_run = NetworkToRun(nn.Identity, config("plain_unet", "tiny"), "weights")
    with pytest.raises(InputError, match="pip install openvino onnx"):
        choose_backend("openvino", to_run)


def test_a_distribution_of_another_name_is_no_reason_to_fail(probed: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime-gpu brings the module onnxruntime, but no distribution of that name."""
    probed(torch=2.0, onnxruntime=1.0)

    def version_of(name: str) -> str:
        if name == "onnxruntime":
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(choice, "version", version_of)
    monkeypatch.setattr(choice, "find_spec", lambda name: ModuleSpec(name, None, origin=__file__))
    probed_names = choice._machine_key(
        NetworkToRun(nn.Identity, config("plain_unet", "tiny"), "weights"), ["onnxruntime"]
    )
    assert "onnxruntime of " in probed_names


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_a_damaged_file_in_the_cache_is_made_anew(backend: str, tmp_path: Path) -> None:
    pytest.importorskip(backend)
    network, of_network = released("locator")
    to_run = NetworkToRun(lambda: network, of_network, "locator")
    choose_backend(backend, to_run)
    (kept,) = (tmp_path / "cache").rglob("*.onnx")
    kept.write_bytes(kept.read_bytes()[:1000])
    assert choose_backend(backend, to_run).name == backend
    assert kept.stat().st_size > 1000


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_a_backend_of_the_cpu_is_refused_on_a_gpu(backend: str) -> None:
    to_run = NetworkToRun(nn.Identity, config("plain_unet", "tiny"), "weights")
    with pytest.raises(InputError, match="choose --device cpu"):
        choose_backend(backend, to_run, "cuda")


# Run in a process of its own, which may have hardly more memory than it has: one pass of a convolution.
HUNGRY = """
import resource, sys
import numpy as np
from torch import nn
from KidneyParsingLib.errors import is_out_of_memory
from KidneyParsingLib.inference.backends.choice import NetworkToRun, _CONSTRUCTORS
from KidneyParsingLib.networks.configs import config
from KidneyParsingLib.networks.registry import build

of_network = config("plain_unet", "tiny")
backend = _CONSTRUCTORS[sys.argv[1]](NetworkToRun(lambda: build(of_network).eval(), of_network, "hungry"))
backend(np.zeros((32, 32, 32), np.float32))
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 500_000_000,) * 2)
try:
    backend(np.zeros((256, 256, 256), np.float32))
except Exception as error:
    print(is_out_of_memory(error))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory so")
@pytest.mark.parametrize("backend", BACKENDS)
def test_lack_of_memory_is_known_as_such(backend: str) -> None:
    if backend != "torch":
        pytest.importorskip(backend)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, "-c", HUNGRY, backend]
    assert subprocess.run(command, env=environment, capture_output=True, text=True).stdout.split()[-1:] == ["True"]


def test_a_cache_that_cannot_be_written_is_done_without(
    probed: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    monkeypatch.setenv("KIDNEYPARSING_CACHE", str(blocker / "cache"))
    timed = probed(torch=2.0, openvino=1.0)
    assert auto().name == auto().name == "openvino" and len(timed) == 4
