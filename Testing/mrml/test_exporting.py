"""Segmentation nodes to files: every kind read back, edits included, and nothing lost when something fails."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import vtk
from dicom_seg_files import read_plain_seg, write_ct_series
from vtk.util import numpy_support

from KidneyParsingLib.errors import InputError
from KidneyParsingLib.mrml.exporting import KINDS, exportSegmentation, sourceFiles
from KidneyParsingLib.mrml.scene import volume_node
from KidneyParsingLib.mrml.segmentation import create_segmentation_node
from KidneyParsingLib.volumes.geometry import affine_of_image
from KidneyParsingLib.volumes.output_files import OutputExistsError
from KidneyParsingLib.volumes.reading import read_ct
from KidneyParsingLib.volumes.writing import read_label_map

FILES = ("seg.nrrd", "nii.gz", "mrb", "dcm")


class FakeDatabase:
    """Stands in for ctkDICOMDatabase."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files

    def fileForInstance(self, instanceUID: str) -> str:
        return self.files.get(instanceUID, "")


class Case:
    """A CT in a scene and its segmentation."""

    def __init__(self, scene, volume, label_map) -> None:
        self.volume = volume
        self.label_map = label_map
        self.volumeNode = volume_node(scene, volume)
        self.node = create_segmentation_node(scene, label_map, self.volumeNode)

    def mask(self, id):
        return self.label_map.mask(next(s for s in self.label_map.segments if s.id == id))


@pytest.fixture
def a_case(environment, a_label_map, a_volume):
    return Case(environment.scene, a_volume("oblique"), a_label_map("oblique"))


def export(case, target, kind, **options):
    return exportSegmentation(case.node, case.volumeNode, target, kind, **options)


def target_of(folder, kind):
    return folder / f"plan.{kind}" if kind in FILES else folder / "plan"


def edit(case, id, array):
    """Give a segment these voxels (z, y, x, bool) as Segment Editor does."""
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(array.shape[::-1])
    values = np.ascontiguousarray(array, np.uint8).ravel()
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(values, deep=True))
    matrix = vtk.vtkMatrix4x4()
    case.volumeNode.GetIJKToRASMatrix(matrix)
    image.SetGeometryFromImageToWorldMatrix(matrix)
    assert slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(image, case.node, id)


def add_foreign(case, name="Stein / left", terminology=None):
    """A segment of the user's own, a box in the corner, under an id that Slicer made up."""
    segment = slicer.vtkSegment()
    segment.SetName(name)
    segment.SetColor(0.2, 0.4, 0.6)
    if terminology:
        segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), terminology)
    assert case.node.GetSegmentation().AddSegment(segment, "S_0x1f")
    array = np.zeros(case.label_map.array.shape, bool)
    array[1:6, 1:7, 1:8] = True
    edit(case, "S_0x1f", array)
    return array


def stl_points(path):
    reader = vtk.vtkSTLReader()
    reader.SetFileName(str(path))
    reader.Update()
    return numpy_support.vtk_to_numpy(reader.GetOutput().GetPoints().GetData())


def enclosed_ml(path):
    reader = vtk.vtkSTLReader()
    reader.SetFileName(str(path))
    mass = vtk.vtkMassProperties()
    mass.SetInputConnection(reader.GetOutputPort())
    return mass.GetVolume() / 1000


def test_seg_nrrd_holds_the_segments_as_they_are_now(a_case, tmp_path):
    shifted = np.roll(a_case.mask("tumor"), 3, axis=2)
    edit(a_case, "tumor", shifted)
    a_case.node.GetSegmentation().GetSegment("tumor").SetName("Tumor, upper pole")
    (path,) = export(a_case, tmp_path / "plan.seg.nrrd", "seg.nrrd")
    found = read_label_map(path)
    assert {s.id for s in found.segments} == {"kidney_right", "kidney_left", "tumor", "vein", "tumor_2"}
    tumor = next(s for s in found.segments if s.id == "tumor")
    assert found.volumes_ml()["tumor"] == pytest.approx(
        shifted.sum() * np.linalg.det(a_case.label_map.affine[:3, :3]) / 1000
    )
    center = found.affine[:3] @ [*np.argwhere(found.mask(tumor)).mean(axis=0)[::-1], 1]
    expected = a_case.label_map.affine[:3] @ [*np.argwhere(shifted).mean(axis=0)[::-1], 1]
    np.testing.assert_allclose(center, expected, atol=1e-3)
    assert b"Tumor, upper pole" in path.read_bytes()


def test_seg_nrrd_does_not_change_what_the_node_is_saved_as(a_case, tmp_path):
    export(a_case, tmp_path / "plan.seg.nrrd", "seg.nrrd")
    assert a_case.node.GetStorageNode() is None


def test_nifti_holds_structures_on_the_grid_of_the_ct(a_case, tmp_path):
    (path,) = export(a_case, tmp_path / "plan.nii.gz", "nii.gz")
    image = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), a_case.label_map.structure_labels())
    np.testing.assert_allclose(affine_of_image(image), a_case.label_map.affine, atol=1e-3)


def test_nifti_gives_segments_of_the_users_values_after_ours(a_case, tmp_path):
    array = add_foreign(a_case)
    (path,) = export(a_case, tmp_path / "plan.nii.gz", "nii.gz")
    found = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert np.unique(found[array]).tolist() == [7]
    np.testing.assert_array_equal(np.where(array, 0, found), np.where(array, 0, a_case.label_map.structure_labels()))


def test_only_the_segments_asked_for(a_case, tmp_path):
    ids = ["tumor", "vein"]
    written = export(a_case, tmp_path / "plan", "stl", segmentIds=ids)
    assert [path.name for path in written] == ["tumor.stl", "vein.stl"]
    (path,) = export(a_case, tmp_path / "plan.nii.gz", "nii.gz", segmentIds=ids)
    assert set(np.unique(sitk.GetArrayFromImage(sitk.ReadImage(str(path))))) == {0, 2, 4}


@pytest.mark.parametrize("grid", ["axial", "oblique", "mirrored", "coronal"])
def test_stl_lies_in_the_patient_and_encloses_what_the_voxels_do(
    environment, a_label_map, a_volume, spheres, tmp_path, grid
):
    case = Case(environment.scene, a_volume(grid), a_label_map(grid))
    written = export(case, tmp_path / "plan", "stl")
    assert [path.stem for path in written] == ["kidney_left", "kidney_right", "tumor", "tumor_2", "vein"]
    for path in written:
        center, radius = spheres[path.stem]
        points = stl_points(path)
        np.testing.assert_allclose((points.min(axis=0) + points.max(axis=0)) / 2, center, atol=0.8)
        assert enclosed_ml(path) == pytest.approx(case.label_map.volumes_ml()[path.stem], rel=0.05)


def test_surfaces_are_those_of_the_edited_voxels(a_case, tmp_path):
    shifted = np.roll(a_case.mask("vein"), -4, axis=0)
    edit(a_case, "vein", shifted)
    (path,) = export(a_case, tmp_path / "plan", "stl", segmentIds=["vein"])
    expected = a_case.label_map.affine[:3] @ [*np.argwhere(shifted).mean(axis=0)[::-1], 1]
    np.testing.assert_allclose(stl_points(path).mean(axis=0), expected, atol=0.6)


@pytest.mark.parametrize(("kind", "name"), [("stl", "kidney_left.stl"), ("obj", "kidneys.obj")])
def test_slicer_reads_the_surfaces_back_to_where_they_were(environment, a_case, spheres, tmp_path, kind, name):
    export(a_case, tmp_path / "plan", kind, segmentIds=["kidney_left"])
    model = environment.scene.AddNewNodeByClass("vtkMRMLModelNode")
    storage = environment.scene.AddNewNodeByClass("vtkMRMLModelStorageNode")
    storage.SetFileName(str(tmp_path / "plan" / name))
    assert storage.ReadData(model)
    bounds = np.zeros(6)
    model.GetRASBounds(bounds)
    expected = np.array(spheres["kidney_left"][0]) * [-1, -1, 1]
    np.testing.assert_allclose((bounds[::2] + bounds[1::2]) / 2, expected, atol=0.8)


def test_surfaces_follow_the_transform(environment, a_case, spheres, tmp_path):
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 30)
    matrix.SetElement(1, 3, -20)
    transform = environment.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(matrix)
    for node in (a_case.volumeNode, a_case.node):
        node.SetAndObserveTransformNodeID(transform.GetID())
    path = next(p for p in export(a_case, tmp_path / "plan", "stl") if p.stem == "kidney_left")
    points = stl_points(path)
    # 30 mm to the right and 20 mm back in RAS are -30 and 20 in LPS.
    moved = np.array(spheres["kidney_left"][0]) + [-30, 20, 0]
    np.testing.assert_allclose((points.min(axis=0) + points.max(axis=0)) / 2, moved, atol=0.8)
    (path,) = export(a_case, tmp_path / "plan.nii.gz", "nii.gz")
    found = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    np.testing.assert_array_equal(found, a_case.label_map.structure_labels())


def test_names_colours_and_opacities_of_now_are_in_the_meshes(a_case, tmp_path):
    entry = a_case.node.GetSegmentation().GetSegment("vein")
    entry.SetColor(1.0, 0.0, 0.0)
    a_case.node.GetDisplayNode().SetSegmentOpacity3D("vein", 0.5)
    add_foreign(a_case)
    export(a_case, tmp_path / "plan", "obj")
    text = (tmp_path / "plan" / "kidneys.mtl").read_text()
    vein = text.split("newmtl vein\n")[1].split("newmtl")[0]
    assert "Kd 1.0000 0.0000 0.0000" in vein and "d 0.500" in vein
    foreign = text.split("newmtl Stein_left\n")[1]
    assert "Kd 0.2000 0.4000 0.6000" in foreign and "# Stein / left" in foreign
    (glb,) = export(a_case, tmp_path / "plan", "glb")
    assert b'"Stein / left"' in glb.read_bytes()


def test_names_that_no_file_may_have_become_ones_that_may(a_case, tmp_path):
    add_foreign(a_case, "../tumor")
    written = export(a_case, tmp_path / "plan", "stl")
    assert {path.parent for path in written} == {tmp_path / "plan"}
    assert "tumor_2.stl" in {path.name for path in written} and len({path.name.lower() for path in written}) == 6


def test_segments_that_came_as_surfaces_are_exported_too(environment, tmp_path):
    source = vtk.vtkSphereSource()
    source.SetRadius(10.0)
    source.SetCenter(30.0, -20.0, 5.0)
    source.SetThetaResolution(40)
    source.SetPhiResolution(40)
    source.Update()
    node = environment.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Imported")
    node.CreateDefaultDisplayNodes()
    node.AddSegmentFromClosedSurfaceRepresentation(source.GetOutput(), "Ball")
    (path,) = exportSegmentation(node, None, tmp_path / "plan", "stl")
    np.testing.assert_allclose(stl_points(path).mean(axis=0), [-30, 20, 5], atol=0.5)
    assert path.name == "Ball.stl" and enclosed_ml(path) == pytest.approx(4.19, rel=0.05)


def test_mrb_is_a_scene_that_opens_again(environment, a_case, tmp_path):
    (path,) = export(a_case, tmp_path / "plan.mrb", "mrb")
    names = zipfile.ZipFile(path).namelist()
    assert any(name.endswith(".seg.nrrd") for name in names) and any(name.endswith(".mrml") for name in names)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["plan.mrb"]
    assert all(name.startswith("plan/") for name in names)


def dicom_case(environment, a_volume, a_label_map, tmp_path):
    """The case with its CT as a DICOM series, and the database that knows its files."""
    volume, label_map = a_volume("oblique"), a_label_map("oblique")
    files = write_ct_series(tmp_path / "ct", volume.array, volume.affine)
    case = Case(environment.scene, read_ct(tmp_path / "ct"), label_map)
    instances = {f"1.2.{number}": str(path) for number, path in enumerate(files)}
    case.volumeNode.SetAttribute("DICOM.instanceUIDs", " ".join(instances))
    return case, FakeDatabase(instances)


def test_dicom_seg_of_edited_segments_reads_back_identical(environment, a_volume, a_label_map, tmp_path):
    pytest.importorskip("highdicom", reason="DICOM SEG needs highdicom (the extra dicom)")
    case, database = dicom_case(environment, a_volume, a_label_map, tmp_path)
    case.node.SetAttribute("KidneyParsing.Model", "ba_net")
    shifted = np.roll(case.mask("tumor"), 3, axis=2)
    edit(case, "tumor", shifted)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    logic.SetSegmentStatus(case.node.GetSegmentation().GetSegment("tumor"), logic.InProgress)
    terminology = "c~SCT^49755003^Morphologically Altered Structure~SCT^56381008^Calculus~^^~r~SCT^64033007^Kidney~^^"
    foreign = add_foreign(case, "Stein", terminology)
    (path,) = export(case, tmp_path / "plan.dcm", "dcm", dicomDatabase=database)
    found = read_plain_seg(path, case.label_map.array.shape, case.label_map.affine)
    assert list(found.items()) == ["Right kidney", "Left kidney", "Tumor", "Vein", "Tumor 2", "Stein"]
    np.testing.assert_array_equal(found.mask("Tumor"), shifted)
    np.testing.assert_array_equal(found.mask("Tumor 2"), case.mask("tumor_2"))
    np.testing.assert_array_equal(found.mask("Left kidney"), case.mask("kidney_left"))
    np.testing.assert_array_equal(found.mask("Stein"), foreign)
    items = found.items()
    assert items["Tumor"].SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert items["Vein"].SegmentAlgorithmType == "AUTOMATIC"
    assert items["Stein"].SegmentedPropertyTypeCodeSequence[0].CodeValue == "56381008"
    assert items["Stein"].AnatomicRegionSequence[0].CodeValue == "64033007"
    assert items["Tumor 2"].TrackingID == "tumor_2"
    (algorithm,) = items["Vein"].SegmentationAlgorithmIdentificationSequence
    assert algorithm.AlgorithmParameters == "model=ba_net"


def test_dicom_seg_needs_a_ct_of_the_dicom_database(environment, a_case, a_volume, a_label_map, tmp_path):
    with pytest.raises(InputError, match="DICOM database"):
        export(a_case, tmp_path / "plan.dcm", "dcm", dicomDatabase=FakeDatabase({}))
    with pytest.raises(InputError, match="DICOM database"):
        sourceFiles(None, FakeDatabase({}))
    with pytest.raises(InputError, match="DICOM database"):
        sourceFiles(a_case.volumeNode)
    case, database = dicom_case(environment, a_volume, a_label_map, tmp_path)
    database.files.popitem()
    with pytest.raises(InputError, match=r"1 of the CT's 44 DICOM files are gone"):
        export(case, tmp_path / "plan.dcm", "dcm", dicomDatabase=database)
    assert [path.name for path in tmp_path.iterdir()] == ["ct"]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_replaced_unless_asked(environment, a_volume, a_label_map, tmp_path, kind):
    if kind == "dcm":
        pytest.importorskip("highdicom", reason="DICOM SEG needs highdicom (the extra dicom)")
    case, database = dicom_case(environment, a_volume, a_label_map, tmp_path)
    target = target_of(tmp_path, kind)
    first = export(case, target, kind, dicomDatabase=database)
    for path in first:
        path.write_text("precious")
    with pytest.raises(OutputExistsError, match="exists already"):
        export(case, target, kind, dicomDatabase=database)
    assert {path.read_text() for path in first} == {"precious"}
    assert export(case, target, kind, replace=True, dicomDatabase=database) == first
    assert all(path.stat().st_size > 100 for path in first)
    assert not [path for path in tmp_path.rglob(".*")]


@pytest.mark.parametrize("kind", ["seg.nrrd", "mrb"])
def test_a_writer_that_fails_leaves_the_older_file(a_case, tmp_path, monkeypatch, kind):
    target = target_of(tmp_path, kind)
    target.write_text("precious")
    names = {"seg.nrrd": "_writeSegmentation", "mrb": "_writeScene"}
    monkeypatch.setattr(f"KidneyParsingLib.mrml.exporting.{names[kind]}", lambda node, path: False)
    with pytest.raises(InputError, match="cannot be written"):
        export(a_case, target, kind, replace=True)
    assert target.read_text() == "precious" and list(tmp_path.iterdir()) == [target]


def test_what_cannot_be_exported_is_refused_in_a_sentence(environment, a_case, a_label_map, tmp_path):
    for target, kind, words in (
        (tmp_path / "plan.ply", "ply", "no kind of export"),
        (tmp_path / "plan.nrrd", "seg.nrrd", "end it in .seg.nrrd"),
        (tmp_path / "missing" / "plan.seg.nrrd", "seg.nrrd", "no folder"),
        (tmp_path / "missing" / "plan.mrb", "mrb", "no folder"),
        (tmp_path / "missing" / "plan.nii.gz", "nii.gz", "no folder"),
    ):
        with pytest.raises(InputError, match=words):
            export(a_case, target, kind)
    with pytest.raises(InputError, match="choose the CT"):
        exportSegmentation(a_case.node, None, tmp_path / "plan.nii.gz", "nii.gz")
    empty = create_segmentation_node(environment.scene, a_label_map(ids=()))
    with pytest.raises(InputError, match="no segment with voxels"):
        exportSegmentation(empty, None, tmp_path / "plan", "stl")
    assert list(Path(tmp_path).iterdir()) == []
