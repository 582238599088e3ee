"""Study: a search from Python, as in a notebook. It prepares a project and runs its stages, as the commands do."""
