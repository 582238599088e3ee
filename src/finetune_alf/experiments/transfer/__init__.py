"""Do the schedules hold elsewhere? Each against feature extraction, plain fine-tuning and layer-wise decay."""
