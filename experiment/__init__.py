"""What is trained: environments, agents, settings, and a run's identity.

The lowest layer of the project: every role builds the same experiment from
the same gin text, so no role can disagree with another.
"""
