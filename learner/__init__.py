"""The learner: trains the agent on replayed experience and publishes its weights."""

from experiment import requirements

requirements.require()
