"""The report of a run, or of several side by side: one HTML file, without network."""

from experiment import requirements

requirements.require()
