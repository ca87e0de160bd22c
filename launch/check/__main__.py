"""`python -m launch.check`: whether a run of a gin file would work, and what it is."""

from experiment import requirements

requirements.require()

from absl import flags

from experiment import process
from launch.check import options
from launch.check.command import main

flags.adopt_module_key_flags(options)

if __name__ == "__main__":
    process.run(main)
