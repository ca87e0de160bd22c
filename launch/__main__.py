"""`python -m launch`, started by `launch/local.sh`: a run on this machine."""

from experiment import requirements

requirements.require()

from launch import isolation

isolation.enter_if_asked()

from absl import flags

from experiment import process
from launch import flags as launch_flags
from launch.command import main

flags.adopt_module_key_flags(launch_flags)

if __name__ == "__main__":
    process.run(main)
