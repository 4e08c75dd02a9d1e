"""The engines that ours is compared with, each run as its own documentation shows, with its phases timed."""
