"""`python -m launch.check`: builds all that a run of a gin file needs, and tries it."""
