"""The eval job: judges the greedy policy of the weights that the learner publishes."""

from experiment import requirements

requirements.require()
