"""A further replay server of a run, with its share of the experience.

It joins at the run's first server, which has everything else.
"""

from experiment import requirements

requirements.require()
