"""Made CT with known truth: anatomy (which tissue is where) -> appearance (HU as a scanner would show it).

The way of SynthSeg (Billot et al., Medical Image Analysis 2023, 10.1016/j.media.2023.102789): label maps of real
shapes, deformed and recoloured at random, so that a network learns shape and context and not one scanner's contrast.
"""
