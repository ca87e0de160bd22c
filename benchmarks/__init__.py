"""Measures the project, and TF-Agents' stock wiring beside it."""
