"""Actors: act in a batch of environments and write what happens to the replay table."""

from experiment import requirements

requirements.require()
