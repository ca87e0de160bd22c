"""The Reverb server process, and the data contract of a run with its client side.

Tables, how a step is packed, how weights travel, the run's manifest and its end:
all that actors, learner and eval job must agree upon is here. `python -m
reverb_server` starts the server.
"""

from experiment import requirements

requirements.require()
