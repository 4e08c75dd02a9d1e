"""Label maps as Slicer sees them: segmentation nodes, their surfaces and pictures of both.

The same code runs in the Slicer application and with the package slicer-core; nothing here imports qt or torch.
"""

from ..errors import InputError

try:
    import slicer as _slicer  # noqa: F401
except ImportError as error:
    raise InputError('Rendering needs slicer-core; install it with: pip install "KidneyParsingLib[render]"') from error
