"""Says what of this machine would keep a run from working, and what to do about it.

`python -m launch.doctor` has to run where Reverb, TensorFlow, or all packages are
missing. So only the standard library is imported by what it imports at once; what needs
packages comes after they were found, and what may crash is in a process of its own.
"""
