"""Losses of the published systems, one file a system: `loss(output, batch)` of a network's output and a batch.

Every loss is the mean over the batch of a per-sample value (Dice sums run over the voxels of one sample), so a batch
split over processes has the same mean. All are computed in float32.
"""
