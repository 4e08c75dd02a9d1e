"""The sample CTA and its truth are in Slicer's Sample Data without a network, from a checkout and when installed.

The stand-in for Slicer's module SampleData follows its source (Modules/Scripted/SampleData/SampleData.py, v5.12.3 and
v5.10.0): what may be registered, and how an address becomes a checked file in the cache.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import types
import urllib.request
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

import module_helpers  # noqa: E402
from index_rules import png_size  # noqa: E402

from KidneyParsingLib.volumes.reading import read_ct  # noqa: E402
from KidneyParsingLib.volumes.writing import read_label_map, read_structure_labels  # noqa: E402

SampleData = module_helpers.import_helper("SampleData")
RESOURCES = module_helpers.MODULE_FOLDER.parent / "Resources"


class FakeSampleDataLogic:
    """The part of SampleDataLogic that 5.10 has too."""

    sources: dict[str, list[dict]] = {}
    cache: Path

    @classmethod
    def registerCustomSampleDataSource(
        cls,
        category="Custom",
        sampleName=None,
        uris=None,
        fileNames=None,
        nodeNames=None,
        customDownloader=None,
        thumbnailFileName=None,
        loadFileTypes=None,
        loadFiles=None,
        loadFileProperties={},  # noqa: B006
        checksums=None,
        loadFileType=None,
    ) -> None:
        if not len(uris) == len(fileNames) == len(nodeNames) == len(loadFileTypes) == len(checksums):
            raise ValueError("All fields of sample data source must have the same length")
        source = dict(
            sampleName=sampleName,
            uris=uris,
            fileNames=fileNames,
            nodeNames=nodeNames,
            thumbnailFileName=thumbnailFileName,
            loadFileTypes=loadFileTypes,
            checksums=checksums,
        )
        if source not in cls.sources.setdefault(category, []):
            cls.sources[category].append(source)

    def downloadSamples(self, sampleName):
        for source in (source for sources in self.sources.values() for source in sources):
            if source["sampleName"] == sampleName:
                files = zip(source["uris"], source["fileNames"], source["checksums"], strict=True)
                return [self._downloaded(*file) for file in files]
        return []

    def _downloaded(self, uri: str, name: str, checksum: str) -> Path:
        path = self.cache / name
        if not path.exists():
            urllib.request.urlretrieve(uri, path)
        algorithm, digest = checksum.split(":")
        assert algorithm == "SHA256" and sha256(path.read_bytes()).hexdigest() == digest
        return path


class FakeNewerSampleDataLogic(FakeSampleDataLogic):
    """With what 5.12 adds."""

    titles: dict[str, str] = {}

    @classmethod
    def registerCustomSampleDataCategory(cls, category, title) -> None:
        cls.titles[category] = title


@pytest.fixture(params=[FakeSampleDataLogic, FakeNewerSampleDataLogic], ids=["5.10", "5.12"])
def logic(request, monkeypatch, tmp_path):
    """Slicer's module, with an empty list and an empty cache."""
    monkeypatch.setattr(FakeSampleDataLogic, "sources", {})
    monkeypatch.setattr(FakeSampleDataLogic, "cache", tmp_path, raising=False)
    module = types.ModuleType("SampleData")
    module.SampleDataLogic = request.param
    monkeypatch.setitem(sys.modules, "SampleData", module)
    return request.param


@pytest.fixture
def installed(tmp_path, monkeypatch) -> Path:
    """The module's folder as CMake installs it, at a path that an address must escape."""
    folder = tmp_path / "Program Files" / "Slicer für alle" / "qt-scripted-modules"
    shutil.copytree(module_helpers.MODULE_FOLDER / "Resources" / "Icons", folder / "Resources" / "Icons")
    (folder / "Resources" / "SampleData").mkdir()
    for name in ("sample_cta.nii.gz", "sample_cta_truth.seg.nrrd", "sample_data.json"):
        shutil.copy(RESOURCES / name, folder / "Resources" / "SampleData" / name)
    monkeypatch.setattr(SampleData, "_MODULE_FOLDER", folder)
    return folder


def test_two_samples_in_a_category_of_their_own(logic):
    SampleData.registerSampleData()
    sources = logic.sources["Kidney Parsing"]
    assert [source["sampleName"] for source in sources] == ["Kidney CTA", "Kidney CTA with truth"]
    assert [source["loadFileTypes"] for source in sources] == [["VolumeFile"], ["VolumeFile", "SegmentationFile"]]
    assert getattr(logic, "titles", {"Kidney Parsing": "Kidney Parsing"}) == {"Kidney Parsing": "Kidney Parsing"}


def test_registering_again_changes_nothing(logic):
    SampleData.registerSampleData()
    SampleData.registerSampleData()
    assert len(logic.sources["Kidney Parsing"]) == 2


def test_thumbnails_have_the_size_that_slicer_recommends(logic):
    SampleData.registerSampleData()
    for source in logic.sources["Kidney Parsing"]:
        assert png_size(Path(source["thumbnailFileName"])) == (260, 280)


def test_files_reach_the_cache_from_a_checkout_without_a_network(logic):
    SampleData.registerSampleData()
    cta, truth = logic().downloadSamples("Kidney CTA with truth")
    assert read_ct(cta).array.shape == read_label_map(truth).array.shape


def test_files_reach_the_cache_when_installed(logic, installed):
    assert SampleData.sampleFolder() == installed / "Resources" / "SampleData"
    cta = SampleData.loadSampleCTA()
    assert cta.read_bytes() == (RESOURCES / "sample_cta.nii.gz").read_bytes()
    source = logic.sources["Kidney Parsing"][0]
    assert str(installed) in source["thumbnailFileName"] and Path(source["thumbnailFileName"]).is_file()


def test_a_sample_that_slicer_cannot_load_is_a_sentence(logic, monkeypatch):
    monkeypatch.setattr(logic, "downloadSamples", lambda self, name: [])
    with pytest.raises(RuntimeError, match="install the extension"):
        SampleData.loadSampleCTA()


def test_without_the_files_nothing_is_registered(logic, tmp_path, monkeypatch):
    monkeypatch.setattr(SampleData, "_MODULE_FOLDER", tmp_path / "module")
    SampleData.registerSampleData()
    assert logic.sources == {}


def make_sample_data():
    """The script that makes the list and the truth."""
    path = RESOURCES.parent / "Utilities" / "make_sample_data.py"
    spec = importlib.util.spec_from_file_location("make_sample_data", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_list_and_checksums_are_those_of_the_files():
    written = json.loads((RESOURCES / "sample_data.json").read_text(encoding="utf-8"))
    assert written == make_sample_data().sample_list(), "run: python Utilities/make_sample_data.py"


def test_cmake_installs_what_is_listed():
    text = (RESOURCES.parent / "CMakeLists.txt").read_text(encoding="utf-8")
    names = [file["name"] for file in json.loads((RESOURCES / "sample_data.json").read_text(encoding="utf-8"))["files"]]
    assert all(f"  {name}\n" in text for name in (*names, "sample_data.json"))


def test_segments_of_the_truth_are_its_labels_with_sides():
    truth = read_label_map(RESOURCES / "sample_cta_truth.seg.nrrd")
    labels, affine = read_structure_labels(RESOURCES / "sample_cta_truth.nii.gz")
    assert np.array_equal(truth.structure_labels(), labels) and np.allclose(truth.affine, affine)
    ids = {segment.id: segment for segment in truth.segments}
    assert {"kidney_right", "kidney_left", "tumor", "artery", "vein", "ureter_right", "ureter_left"} <= set(ids)
    # LPS: the patient's right has the smaller x.
    right, left = (np.argwhere(truth.mask(ids[id]))[:, 2].mean() for id in ("kidney_right", "kidney_left"))
    assert (left - right) * truth.affine[0, 0] > 0
