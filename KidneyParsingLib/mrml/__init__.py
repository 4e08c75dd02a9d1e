"""Label maps as Slicer sees them: segmentation nodes, their surfaces and pictures of both.

The same code runs in the Slicer application and with the package slicer-core; nothing here imports qt or torch.
"""

from ..errors import InputError
from ..sentences import texts_of

# Translations are kept by the file's name, which a package's own does not hold.
_ = texts_of(f"{__name__}.__init__")

try:
    import slicer as _slicer  # noqa: F401
except ImportError as error:
    text = _("Rendering needs slicer-core; install it with: pip install slicer-core")
    raise InputError(text) from error
