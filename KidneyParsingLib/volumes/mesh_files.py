"""Meshes as STL (one file each), OBJ with MTL, and GLB (all in one); every coordinate is LPS in mm.

Slicer's own writers would do for STL; but they take segments' names for file names as they are, report no failure,
and their OBJ files name no object.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .mesh import Mesh

# Slicer reads `SPACE=` in STL and OBJ files; other programs take the numbers as they are.
REMARK = "KidneyParsing, mm, research use only. SPACE=LPS"
STEM = "kidneys"
_FLOAT, _UNSIGNED = 5126, 5125
_VERTICES, _INDICES = 34962, 34963
# glTF is in m with y up and z to the viewer: x is the patient's left, y superior, z anterior (column by column).
_LPS_MM_TO_GLTF = [0.001, 0, 0, 0, 0, 0, -0.001, 0, 0, 0.001, 0, 0, 0, 0, 0, 1]


def write_stl(meshes: Sequence[Mesh], folder: Path) -> None:
    """One binary STL file for each mesh, `STEM.stl`."""
    triangle = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    for mesh in meshes:
        corners = mesh.vertices[mesh.triangles]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        rows = np.zeros(len(corners), triangle)
        rows["normal"], rows["corners"] = normals / np.where(lengths > 0, lengths, 1), corners
        header = REMARK.encode().ljust(80)
        (folder / f"{mesh.stem}.stl").write_bytes(header + struct.pack("<I", len(rows)) + rows.tobytes())


def write_obj(meshes: Sequence[Mesh], folder: Path) -> None:
    """`kidneys.obj` with one object for each mesh, and `kidneys.mtl` with its colour and opacity."""
    with (folder / f"{STEM}.obj").open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(f"# {REMARK}\nmtllib {STEM}.mtl\n")
        first = 1
        for mesh in meshes:
            stream.write(f"o {mesh.stem}\nusemtl {mesh.stem}\n")
            np.savetxt(stream, mesh.vertices, "v %.4f %.4f %.4f")
            np.savetxt(stream, mesh.normals(), "vn %.4f %.4f %.4f")
            np.savetxt(stream, np.repeat(mesh.triangles + first, 2, axis=1), "f %d//%d %d//%d %d//%d")
            first += len(mesh.vertices)
    materials = "".join(map(_material_text, meshes))
    (folder / f"{STEM}.mtl").write_text(f"# {REMARK}\n{materials}", encoding="utf-8", newline="\n")


def _material_text(mesh: Mesh) -> str:
    color = " ".join(f"{channel / 255:.4f}" for channel in mesh.color)
    return f"newmtl {mesh.stem}\n# {mesh.name}\nKd {color}\nKa 0 0 0\nKs 0.1 0.1 0.1\nNs 20\nd {mesh.opacity:.3f}\n"


def write_glb(meshes: Sequence[Mesh], folder: Path) -> None:
    """`kidneys.glb`, glTF 2.0: a root node from LPS mm to glTF's metres, and one child with each mesh in LPS mm."""
    buffer = _Buffer()
    gltf_meshes = [_gltf_mesh(mesh, number, buffer) for number, mesh in enumerate(meshes)]
    children = range(1, len(meshes) + 1)
    extras = {"space": "LPS", "unit": "mm"}
    root = {"name": "KidneyParsing", "matrix": _LPS_MM_TO_GLTF, "children": list(children), "extras": extras}
    content = {
        "asset": {"version": "2.0", "generator": "KidneyParsing", "extras": {"remark": REMARK}},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [root, *(_node(mesh, number) for number, mesh in enumerate(meshes))],
        "meshes": gltf_meshes,
        "materials": list(map(_material, meshes)),
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.data)}],
    }
    text = json.dumps(content, separators=(",", ":")).encode()
    chunks = _chunk(b"JSON", text, b" ") + _chunk(b"BIN\0", bytes(buffer.data), b"\0")
    (folder / f"{STEM}.glb").write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)


class _Buffer:
    """The binary part of a GLB file, and where its arrays lie in it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict] = []
        self.accessors: list[dict] = []

    def add(self, array: np.ndarray, component: int, target: int, kind: str, bounds: bool = False) -> int:
        """Append a little-endian array of 4-byte numbers; returns its accessor's index."""
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": array.nbytes, "target": target}
        accessor = {"bufferView": len(self.views), "componentType": component, "count": len(array), "type": kind}
        if bounds:
            accessor |= {"min": array.min(axis=0).tolist(), "max": array.max(axis=0).tolist()}
        self.data += array.tobytes()
        self.views.append(view)
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _gltf_mesh(mesh: Mesh, material: int, buffer: _Buffer) -> dict:
    positions = buffer.add(mesh.vertices.astype("<f4"), _FLOAT, _VERTICES, "VEC3", bounds=True)
    normals = buffer.add(mesh.normals().astype("<f4"), _FLOAT, _VERTICES, "VEC3")
    indices = buffer.add(mesh.triangles.astype("<u4").ravel(), _UNSIGNED, _INDICES, "SCALAR")
    attributes = {"POSITION": positions, "NORMAL": normals}
    return {
        "name": mesh.name,
        "primitives": [{"attributes": attributes, "indices": indices, "material": material}],
    }


def _node(mesh: Mesh, number: int) -> dict:
    return {"name": mesh.name, "mesh": number, "extras": {"id": mesh.stem, "ml": round(mesh.ml, 3)}}


def _material(mesh: Mesh) -> dict:
    color = [*map(_linear, mesh.color), round(mesh.opacity, 4)]
    material = {
        "name": mesh.name,
        "pbrMetallicRoughness": {"baseColorFactor": color, "metallicFactor": 0, "roughnessFactor": 0.6},
    }
    return material | ({"alphaMode": "BLEND"} if mesh.opacity < 1 else {})


def _linear(channel: int) -> float:
    """glTF's linear value of an sRGB channel 0-255 (IEC 61966-2-1)."""
    value = channel / 255
    return round(value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4, 6)


def _chunk(kind: bytes, content: bytes, padding: bytes) -> bytes:
    content += padding * (-len(content) % 4)
    return struct.pack("<I4s", len(content), kind) + content
