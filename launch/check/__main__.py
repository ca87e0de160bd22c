"""`python -m launch.check`: whether a run of a gin file would work, and what it is."""

from experiment import requirements

requirements.require()

from absl import flags

from experiment import process
from launch.check import flags as check_flags
from launch.check.command import main

flags.adopt_module_key_flags(check_flags)

if __name__ == "__main__":
    process.run(main)
