"""Saved classifiers: the folder of a fine-tuned encoder or of a probe, its calibration, and its predictions."""
