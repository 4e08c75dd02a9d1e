"""An OpenGL window that no screen shows, and its pixels as PNG."""

from __future__ import annotations

import ctypes
import os
import sys

import vtk
from vtk.util import numpy_support

from ..errors import InputError
from ..sentences import texts_of

_ = texts_of(__name__)

NO_OPENGL = _(
    "There is no OpenGL for pictures; on Debian or Ubuntu install it with: apt install libegl1 libgl1 libgl1-mesa-dri"
)


def offscreen_window(width: int, height: int) -> vtk.vtkRenderWindow:
    """A render window of `width` x `height` pixels in memory. Raises InputError where OpenGL is missing."""
    _require_opengl_library()
    window = _new_window()
    window.SetOffScreenRendering(True)
    window.SetSize(width, height)
    # Rendering without OpenGL would end the whole process, so ask first.
    if not window.SupportsOpenGL():
        raise InputError(NO_OPENGL)
    return window


def png_bytes(window: vtk.vtkRenderWindow) -> bytes:
    """Render `window` and return what it shows as the bytes of a PNG file."""
    window.Render()
    pixels = vtk.vtkWindowToImageFilter()
    pixels.SetInput(window)
    pixels.ReadFrontBufferOff()
    writer = vtk.vtkPNGWriter()
    writer.SetInputConnection(pixels.GetOutputPort())
    writer.WriteToMemoryOn()
    writer.Write()
    return numpy_support.vtk_to_numpy(writer.GetResult()).tobytes()


def _require_opengl_library() -> None:
    if not sys.platform.startswith("linux"):
        return
    try:
        ctypes.CDLL("libEGL.so.1")
    except OSError as error:
        raise InputError(NO_OPENGL) from error


def _new_window() -> vtk.vtkRenderWindow:
    if not sys.platform.startswith("linux") or os.environ.get("DISPLAY"):
        return vtk.vtkRenderWindow()
    # VTK's own choice comes to the same class, but warns first that there is no X server.
    return getattr(vtk, "vtkEGLRenderWindow", vtk.vtkRenderWindow)()
