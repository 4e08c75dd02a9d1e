"""Our engine against nnU-Net and MONAI: the same network, weights and CT, every run in a process of its own."""
