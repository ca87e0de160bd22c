"""Publishes weights and pulls them, and tells the train step of each that has come."""

from __future__ import annotations

import sys
import time

import tensorflow as tf

from experiment import definition
from experiment.process import StopSignal
from learner.publisher import Publisher
from reverb_server import tables
from reverb_server.membership import Membership
from reverb_server.weights import WeightsPuller


def main(address: str) -> None:
    """Goes on until it is killed; train step n is published after n / 20 s."""
    membership = Membership(address, "eval_job", StopSignal())
    experiment = definition.load_text(membership.manifest.gin_text)
    weights = tables.weights_of(*experiment.make_agent(experiment.environment()))
    puller = WeightsPuller(address, weights, interval_s=0.01)
    publisher = Publisher(address)
    published = tf.nest.map_structure(tf.identity, weights)
    while membership.is_running():
        publisher.publish(published)
        published["train_step"] += 1
        time.sleep(0.05)
        print("pulled", puller.newest_train_step, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
