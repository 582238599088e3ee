"""What fits will cost before they run, and what they took."""
