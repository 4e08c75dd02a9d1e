"""What the module Kidney Parsing does behind its panel. Importing it makes the library KidneyParsingLib importable."""

from .LibraryPath import addLibraryToPath

addLibraryToPath()
