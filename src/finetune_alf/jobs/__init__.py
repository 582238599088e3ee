"""Fits as jobs: what an executor runs, from the job to its line in a ledger. The fit itself is `train/`."""
