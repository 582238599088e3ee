"""A project out of a table of one's own: what the table seems to hold (guesses), and the files that follow from it."""
