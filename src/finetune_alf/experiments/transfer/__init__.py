"""Registered schedules on other samples, against feature extraction, plain fine-tuning and layer-wise decay."""
