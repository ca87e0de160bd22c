"""Starts the processes of a run on one machine, watches them, and ends them.

Nothing is required here: the doctor, which says what is missing, has to run anywhere.
"""
