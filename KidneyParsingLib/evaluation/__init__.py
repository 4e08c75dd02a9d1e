"""How well a segmentation agrees with a reference: metrics, the regions they are taken in, tables and plots."""
