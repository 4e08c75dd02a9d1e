"""Surfaces in files: where they lie, what they enclose, and what other readers find in them."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import vtk
from scipy import ndimage
from scipy.spatial import cKDTree
from vtk.util import numpy_support

from KidneyParsingLib.anatomy import SEGMENTS, further_segment, segment
from KidneyParsingLib.commands.export import MESH_FORMATS as COMMAND_FORMATS
from KidneyParsingLib.errors import InputError
from KidneyParsingLib.volumes.geometry import make_affine
from KidneyParsingLib.volumes.mesh import surface_of
from KidneyParsingLib.volumes.meshes import MESH_FORMATS, export_meshes
from KidneyParsingLib.volumes.output_files import OutputExistsError
from KidneyParsingLib.volumes.volume import LabelMap

SHAPE = (40, 60, 64)
CENTER, RADIUS = np.array([-45.0, 112.0, -870.0]), 9.0
TURN = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
AFFINES = {
    "axial": make_affine((0.8, 0.8, 0.8), (-70.0, 88.0, -886.0), np.eye(3)),
    "oblique": make_affine((0.9, 0.8, 1.5), (-58.0, 70.0, -898.0), TURN),
    "mirrored": make_affine((0.8, 0.9, 1.2), (-20.0, 86.0, -893.0), np.diag([-1.0, 1.0, 1.0])),
}


def positions(affine: np.ndarray, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """LPS mm of every voxel, (z, y, x, 3)."""
    z, y, x = np.indices(shape)
    return np.stack([x, y, z], axis=-1) @ affine[:3, :3].T + affine[:3, 3]


def ball(affine: np.ndarray) -> LabelMap:
    item = segment("tumor")
    inside = np.linalg.norm(positions(affine) - CENTER, axis=-1) <= RADIUS
    return LabelMap((inside * item.value).astype(np.uint8), affine, SEGMENTS)


def tube(diameter: float) -> LabelMap:
    """A curved artery on voxels of 0.8 mm."""
    affine = AFFINES["axial"]
    t = np.linspace(-1, 1, 400)
    line = affine[:3, 3] + 0.8 * np.array([32, 30, 20]) + np.stack([19 * t, 8 * np.sin(3 * t), 9 * t], axis=-1)
    distances = cKDTree(line).query(positions(affine))[0]
    artery = segment("artery")
    return LabelMap(np.where(distances <= diameter / 2, artery.value, 0).astype(np.uint8), affine, (artery,))


def read_stl(path: Path) -> vtk.vtkPolyData:
    reader = vtk.vtkSTLReader()
    reader.SetFileName(str(path))
    reader.Update()
    return reader.GetOutput()


def points_of(surface: vtk.vtkPolyData) -> np.ndarray:
    return numpy_support.vtk_to_numpy(surface.GetPoints().GetData())


def signed_volume(corners: np.ndarray) -> float:
    """mm3 enclosed by triangles (m, 3, 3) that turn outward."""
    near = corners - corners.reshape(-1, 3).mean(axis=0)
    return float(np.linalg.det(near).sum() / 6)


def enclosed_ml(path: Path) -> float:
    content = path.read_bytes()
    rows = np.frombuffer(content[84:], np.dtype([("n", "<f4", 3), ("corners", "<f4", (3, 3)), ("a", "<u2")]))
    assert len(rows) == struct.unpack("<I", content[80:84])[0]
    return signed_volume(rows["corners"].astype(float)) / 1000


@pytest.mark.parametrize("grid", AFFINES)
def test_a_ball_off_the_centre_lies_where_it_is_and_turns_outward(tmp_path: Path, grid: str) -> None:
    label_map = ball(AFFINES[grid])
    (path,) = export_meshes(label_map, tmp_path / "out", "stl")
    surface = points_of(read_stl(path))
    np.testing.assert_allclose((surface.min(axis=0) + surface.max(axis=0)) / 2, CENTER, atol=0.8)
    assert np.abs(np.linalg.norm(surface - CENTER, axis=1) - RADIUS).max() < 1.2
    assert enclosed_ml(path) == pytest.approx(label_map.volumes_ml()["tumor"], rel=0.005)
    assert enclosed_ml(path) == pytest.approx(4 / 3 * np.pi * RADIUS**3 / 1000, rel=0.05)


@pytest.mark.parametrize("voxels", [2, 3, 5, 8])
def test_thin_vessels_keep_their_volume(tmp_path: Path, voxels: int) -> None:
    label_map = tube(0.8 * voxels)
    (path,) = export_meshes(label_map, tmp_path / "out", "stl")
    assert enclosed_ml(path) == pytest.approx(label_map.volumes_ml()["artery"], rel=0.005)


def test_a_thin_vessel_stays_in_one_piece_on_its_line(tmp_path: Path) -> None:
    label_map = tube(1.6)
    vertices, triangles = surface_of(label_map.array > 0, label_map.affine)
    voxels = positions(label_map.affine)[label_map.array > 0]
    assert cKDTree(voxels).query(vertices)[0].max() < 1.0
    assert cKDTree(vertices).query(voxels)[0].max() < 1.0, "it is there all along the vessel, up to its ends"
    parts = vtk.vtkPolyDataConnectivityFilter()
    parts.SetInputData(read_stl(export_meshes(label_map, tmp_path / "out", "stl")[0]))
    parts.SetExtractionModeToAllRegions()
    parts.Update()
    assert parts.GetNumberOfExtractedRegions() == ndimage.label(label_map.array, np.ones((3, 3, 3)))[1]
    assert len(triangles)


def test_the_surface_is_closed_and_smooth(tmp_path: Path) -> None:
    vertices, triangles = surface_of(ball(AFFINES["axial"]).array > 0, AFFINES["axial"])
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    directed = {tuple(edge) for edge in edges.tolist()}
    assert len(directed) == len(edges) and all((b, a) in directed for a, b in directed)
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    normals = np.cross(b - a, c - a)
    outward = (a + b + c) / 3 - CENTER
    cosines = (
        np.einsum("ij,ij->i", normals, outward) / np.linalg.norm(normals, axis=1) / np.linalg.norm(outward, axis=1)
    )
    assert np.median(cosines) > 0.98 and cosines.min() > 0.6


def test_a_segment_at_the_edge_of_the_scan_is_closed() -> None:
    mask = np.zeros((12, 14, 16), bool)
    mask[:6, :7, :8] = True
    vertices, triangles = surface_of(mask, np.diag([2.0, 2.0, 2.0, 1.0]))
    assert signed_volume(vertices[triangles]) == pytest.approx(mask.sum() * 8, rel=0.01)
    assert vertices.min() < -0.5


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 6), (2, 2, 2)])
def test_a_few_voxels_are_still_a_surface(shape: tuple[int, int, int]) -> None:
    vertices, triangles = surface_of(np.ones(shape, bool), np.diag([1.0, 1.0, 2.0, 1.0]))
    assert np.isfinite(vertices).all() and signed_volume(vertices[triangles]) == pytest.approx(
        2 * np.prod(shape), rel=0.1
    )


def two_segments() -> LabelMap:
    affine = AFFINES["oblique"]
    array = np.zeros(SHAPE, np.uint8)
    array[5:15, 20:40, 20:40] = segment("kidney_left").value
    second = further_segment("tumor", 2, 0)
    array[20:30, 20:40, 20:40] = second.value
    return LabelMap(array, affine, (*SEGMENTS, second))


def test_stl_has_one_file_for_each_segment_with_voxels_and_says_its_space(tmp_path: Path) -> None:
    written = export_meshes(two_segments(), tmp_path / "out", "stl")
    assert sorted(tmp_path.rglob("*.*")) == written
    assert [path.name for path in written] == ["kidney_left.stl", "tumor_2.stl"]
    header = written[0].read_bytes()[:80]
    assert b"SPACE=LPS" in header and b"mm" in header and not header.startswith(b"solid")


def parse_obj(path: Path) -> dict[str, tuple[str, np.ndarray]]:
    """By object: its material and triangles (m, 3, 3)."""
    vertices, faces, materials, current = [], {}, {}, ""
    for line in path.read_text().splitlines():
        word, _, rest = line.partition(" ")
        if word == "v":
            vertices.append([float(number) for number in rest.split()])
        elif word == "o":
            current = rest
        elif word == "usemtl":
            materials[current] = rest
        elif word == "f":
            faces.setdefault(current, []).append([int(corner.split("//")[0]) - 1 for corner in rest.split()])
    return {name: (materials[name], np.array(vertices)[np.array(faces[name])]) for name in faces}


def test_obj_names_colours_and_places(tmp_path: Path) -> None:
    label_map = two_segments()
    obj, mtl = sorted(export_meshes(label_map, tmp_path / "out", "obj"), key=lambda path: path.suffix, reverse=True)
    assert (obj.name, mtl.name) == ("kidneys.obj", "kidneys.mtl")
    objects = parse_obj(obj)
    assert list(objects) == ["kidney_left", "tumor_2"] and "mtllib kidneys.mtl" in obj.read_text()
    for item in (segment("kidney_left"), further_segment("tumor", 2, 0)):
        material, corners = objects[item.id]
        assert signed_volume(corners) / 1000 == pytest.approx(label_map.volumes_ml()[item.id], rel=0.02)
        expected = positions(label_map.affine)[label_map.array == item.value].mean(axis=0)
        np.testing.assert_allclose(corners.reshape(-1, 3).mean(axis=0), expected, atol=0.8)
        text = mtl.read_text().split(f"newmtl {material}\n")[1].split("newmtl")[0]
        color = [float(number) for number in text.split("Kd ")[1].split()[:3]]
        np.testing.assert_allclose(color, np.array(item.structure.color) / 255, atol=1e-3)
        assert float(text.split("\nd ")[1].split()[0]) == pytest.approx(item.structure.opacity)


def test_obj_is_read_by_vtk(tmp_path: Path) -> None:
    label_map = two_segments()
    path = next(p for p in export_meshes(label_map, tmp_path / "out", "obj") if p.suffix == ".obj")
    reader = vtk.vtkOBJReader()
    reader.SetFileName(str(path))
    reader.Update()
    mass = vtk.vtkMassProperties()
    mass.SetInputData(reader.GetOutput())
    assert "SPACE=LPS" in reader.GetComment()
    assert mass.GetVolume() / 1000 == pytest.approx(sum(label_map.volumes_ml().values()), rel=0.02)


def parse_glb(path: Path) -> tuple[dict, bytes]:
    """The JSON and the binary chunk, by the rules of the glTF 2.0 specification, section 4.4."""
    content = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", content)
    assert (magic, version, length) == (b"glTF", 2, len(content))
    chunks, start = {}, 12
    while start < length:
        size, kind = struct.unpack_from("<I4s", content, start)
        assert size % 4 == 0
        chunks[kind] = content[start + 8 : start + 8 + size]
        start += 8 + size
    return json.loads(chunks[b"JSON"]), chunks[b"BIN\0"]


def accessor(gltf: dict, data: bytes, index: int) -> np.ndarray:
    entry = gltf["accessors"][index]
    view = gltf["bufferViews"][entry["bufferView"]]
    kind, width = {5126: "<f4", 5125: "<u4"}[entry["componentType"]], {"VEC3": 3, "SCALAR": 1}[entry["type"]]
    assert view["byteOffset"] % 4 == 0
    values = np.frombuffer(data, kind, entry["count"] * width, view["byteOffset"]).reshape(-1, width)
    assert values.nbytes == view["byteLength"]
    if "min" in entry:
        np.testing.assert_array_equal(values.min(axis=0), np.float32(entry["min"]))
        np.testing.assert_array_equal(values.max(axis=0), np.float32(entry["max"]))
    return values


def test_glb_is_a_whole_gltf_with_names_colours_and_opacities(tmp_path: Path) -> None:
    label_map = two_segments()
    (path,) = export_meshes(label_map, tmp_path / "out", "glb")
    gltf, data = parse_glb(path)
    assert path.name == "kidneys.glb" and gltf["asset"]["version"] == "2.0"
    assert gltf["buffers"] == [{"byteLength": len(data)}]
    (root,) = (gltf["nodes"][index] for index in gltf["scenes"][gltf["scene"]]["nodes"])
    children = [gltf["nodes"][index] for index in root["children"]]
    assert [node["name"] for node in children] == ["Left kidney", "Tumor 2"]
    for node, item in zip(children, (segment("kidney_left"), further_segment("tumor", 2, 0)), strict=True):
        (primitive,) = gltf["meshes"][node["mesh"]]["primitives"]
        vertices = accessor(gltf, data, primitive["attributes"]["POSITION"]).astype(float)
        normals = accessor(gltf, data, primitive["attributes"]["NORMAL"])
        triangles = accessor(gltf, data, primitive["indices"]).reshape(-1, 3)
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-3)
        ml = label_map.volumes_ml()[item.id]
        assert signed_volume(vertices[triangles]) / 1000 == pytest.approx(ml, rel=0.02)
        assert node["extras"] == {"id": item.id, "ml": round(ml, 3)}
        material = gltf["materials"][primitive["material"]]
        *color, opacity = material["pbrMetallicRoughness"]["baseColorFactor"]
        # From linear back to sRGB with the plain power, which differs by a few steps of 255.
        np.testing.assert_allclose(np.power(color, 1 / 2.2) * 255, item.structure.color, atol=8)
        assert opacity == pytest.approx(item.structure.opacity) and material["alphaMode"] == "BLEND"


def test_glb_stands_upright_in_metres_and_faces_the_viewer(tmp_path: Path) -> None:
    gltf, _ = parse_glb(export_meshes(two_segments(), tmp_path / "out", "glb")[0])
    matrix = np.reshape(gltf["nodes"][0]["matrix"], (4, 4)).T
    left, posterior, superior = (matrix[:3, axis] * 1000 for axis in range(3))
    np.testing.assert_allclose(superior, [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(posterior, [0, 0, -1], atol=1e-12)
    np.testing.assert_allclose(left, [1, 0, 0], atol=1e-12)
    assert gltf["nodes"][0]["extras"] == {"space": "LPS", "unit": "mm"}


def test_glb_opens_in_trimesh(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh", reason="trimesh, the second reader of GLB, is not installed")
    label_map = two_segments()
    scene = trimesh.load(export_meshes(label_map, tmp_path / "out", "glb")[0])
    for mesh in scene.dump():
        assert mesh.is_watertight
    total = sum(mesh.volume for mesh in scene.dump()) * 1e9 / 1000
    assert total == pytest.approx(sum(label_map.volumes_ml().values()), rel=0.02)


def test_files_are_replaced_only_when_asked(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "tumor_2.stl").write_text("precious")
    (out / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="exists already"):
        export_meshes(two_segments(), out, "stl")
    assert {path.name for path in out.iterdir()} == {"tumor_2.stl", "notes.txt"}
    assert (out / "tumor_2.stl").read_text() == "precious"
    export_meshes(two_segments(), out, "stl", replace=True)
    assert {path.name for path in out.iterdir()} == {"tumor_2.stl", "kidney_left.stl", "notes.txt"}


@pytest.mark.parametrize("is_new", [True, False])
def test_a_failure_leaves_the_folder_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_new: bool) -> None:
    def fail(meshes: object, folder: Path) -> None:
        (folder / "half.stl").touch()
        raise OSError(28, "No space left on device")

    out = tmp_path / "out"
    if not is_new:
        out.mkdir()
    monkeypatch.setitem(export_meshes.__globals__["_WRITERS"], "stl", fail)
    with pytest.raises(InputError, match="No space left"):
        export_meshes(two_segments(), out, "stl")
    assert out.exists() is not is_new and not list(out.rglob("*"))


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder, format, words in (
        (tmp_path / "out", "ply", "no mesh format"),
        (tmp_path / "file", "stl", "is a file"),
        (tmp_path / "missing" / "out", "stl", "no folder"),
        (Path("/proc/out"), "stl", "cannot be written"),
    ):
        with pytest.raises(InputError, match=words):
            export_meshes(two_segments(), folder, format)
    with pytest.raises(InputError, match="no segment with voxels"):
        export_meshes(LabelMap(np.zeros(SHAPE, np.uint8), np.eye(4), SEGMENTS), tmp_path / "out", "stl")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_command_line_offers_the_same_formats() -> None:
    assert COMMAND_FORMATS == MESH_FORMATS
