"""What a classifier gets wrong: confusion, the surest errors, schemes that disagree, likely label errors. Pure."""
