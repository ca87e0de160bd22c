"""benchmarks/bounds.py: what many actors come to, against numbers made by hand."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks import bounds, bounds_tables
from benchmarks.synthetic_rig import Work, allowed
from experiment.errors import ConfigurationError
from experiment.settings import Collect, Replay, Train
from reverb_server import membership, rate_limiter

COSTS = bounds.Costs(
    idle=0.01,
    item=50e-6,
    sample=5e-6,
    pull=500e-6,
    push=200e-6,
    info=200e-6,
    row=400e-6,
    byte_in=1e-9,
    byte_out=0.5e-9,
    info_bytes=2_000,
    connection_bytes=50_000,
)

# 8 transitions of 2 steps of 50 bytes: items of 800 bytes.
WORK = bounds.Workload(
    "slow",
    env_steps_per_s=100,
    updates_per_s=4_000,
    weights_bytes=40_000,
    step_bytes=50,
)


def test_a_hundred_actors_by_hand() -> None:
    """10,000 steps are 1,250 items, and 80,000 samples are 1,250 batches of 64."""
    found = bounds.demand(WORK, COSTS, 100)
    assert found.env_steps == found.env_steps_wanted == 10_000
    assert found.updates == pytest.approx(1_250)
    # 1,250 items at 50 us and 0.8 us for their bytes, 10,000 samples at 5 and 0.4 us.
    assert found.experience == pytest.approx(0.0635 + 0.054)
    # 101 x 4 pulls at 500 and 20 us, 4 pushes at 200 and 40 us.
    assert found.weights == pytest.approx(0.21008 + 0.00096)
    # 102 processes look twice a second, and send a row every two.
    assert found.looks == pytest.approx(204 * 200e-6)
    assert found.figures == pytest.approx(51 * 400e-6)
    parts = 0.0635 + 0.054 + 0.21104 + 0.0408 + 0.0204 + 0.01
    assert found.cores == pytest.approx(parts)
    assert found.bytes_in == pytest.approx(1_250 * 800 + 4 * 40_000)
    assert found.bytes_out == pytest.approx(
        10_000 * 800 + 404 * 40_000 + 204 * 2_000  # samples, weights, looks
    )
    assert found.connections == 204
    assert found.connections_bytes == 204 * 50_000
    assert found.inserts_ahead == 1_600
    assert found.bounds(WORK, bounds.Host()) == []


def test_the_learner_holds_actors_that_it_is_tied_to() -> None:
    """4,000 updates take 256,000 samples, 8 of each of 32,000 transitions."""
    tied = bounds.demand(WORK, COSTS, 1_000)
    assert (tied.env_steps, tied.updates) == (32_000, 4_000)
    assert "learner" in tied.bounds(WORK, bounds.Host())
    free = dataclasses.replace(WORK, samples_per_insert=None)
    loose = bounds.demand(free, COSTS, 1_000)
    assert (loose.env_steps, loose.updates) == (100_000, 4_000)
    assert "learner" not in loose.bounds(free, bounds.Host())


def test_items_of_one_transition_share_their_steps() -> None:
    """One new step is written for each; two are sampled."""
    one = dataclasses.replace(WORK, transitions_per_item=1)
    found = bounds.demand(one, COSTS, 10)
    assert found.bytes_in == pytest.approx(1_000 * 50 + 4 * 40_000)
    assert found.bytes_out == pytest.approx(8_000 * 100 + 44 * 40_000 + 24 * 2_000)


def test_what_is_not_enough_is_named_the_worst_first() -> None:
    found = bounds.demand(WORK, COSTS, 10_000)
    # Weights alone take 40,004 x 520 us, so 20.8 cores of 2.
    host = bounds.Host(cores=2, bytes_per_s=1e9, files=20_000)
    assert found.bounds(WORK, host) == [
        "learner",  # 1,000,000 steps of 32,000: 31 times
        "server CPU",
        "telemetry",  # 5,001 rows at 400 us: 2.0
        "network",  # 1.7 GB/s
        "rate limiter",  # 160,000 of 100,000
        "open files",  # 20,004 of 20,000
    ]


@pytest.mark.parametrize(
    ("setting", "part"),
    [
        ({"pull_interval_s": 2.5}, "weights"),
        ({"transitions_per_item": 32}, "experience"),
        ({"samples_per_insert": 1.0}, "experience"),
    ],
)
def test_a_setting_moves_its_bound(setting: dict[str, float], part: str) -> None:
    moved = dataclasses.replace(WORK, **setting)  # type: ignore[arg-type]
    before, after = (bounds.demand(each, COSTS, 100) for each in (WORK, moved))
    assert getattr(after, part) < 0.9 * getattr(before, part)
    others = {"weights", "experience", "looks", "figures"} - {part}
    assert all(getattr(after, o) == getattr(before, o) for o in others)


def test_the_cost_of_a_byte_is_that_of_a_larger_call() -> None:
    fixed, per_byte = bounds.fixed_costs((30_000, 530e-6), (7_030_000, 7_530e-6))
    assert per_byte == pytest.approx(1e-9)
    assert fixed == pytest.approx(500e-6)


def test_calls_among_others_take_more_but_nothing_else_does() -> None:
    more = COSTS.times(2.0)
    assert (more.item, more.row, more.byte_out) == (100e-6, 800e-6, 1e-9)
    assert (more.idle, more.info_bytes, more.connection_bytes) == (0.01, 2_000, 50_000)


def test_work_tells_what_calls_took() -> None:
    """2 s of 100 ms idle a second; 100 items of 1 ms and 100 rows of 3 ms."""
    costs = {"idle": 0.1, "item": 1e-3, "row": 3e-3}
    mixed = Work(cpu_s=1.0, elapsed_s=2.0, counts={"item": 100, "row": 100})
    assert mixed.predicted_s(costs) == pytest.approx(0.6)
    assert mixed.factor(costs) == pytest.approx(2.0)
    assert mixed.predicted_s(costs, 2.0) == pytest.approx(1.0)
    assert Work(1.0, 2.0, {"item": 400}).cost(idle=0.1) == pytest.approx(2e-3)
    with pytest.raises(RuntimeError, match="raise --seconds"):
        Work(1.0, 2.0, {}).cost(idle=0.1)


def test_actors_without_files_for_them_are_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert allowed([10_000_000_000, 4, 1]) == [1, 4]
    assert "10000000000 actors are left out" in capsys.readouterr().out
    with pytest.raises(ConfigurationError, match="a number from 1 to"):
        allowed([0])


def test_what_is_taken_for_given_is_so() -> None:
    """Defaults of settings, and intervals that no setting changes."""
    assert Collect.envs_per_actor == bounds.ENVS_PER_ACTOR
    assert bounds.INFOS_PER_S == 1 / membership._POLL_S
    assert bounds.ROWS_PER_S == 1 / membership._TELEMETRY_S
    for name in ("samples_per_insert", "batch_size", "max_size"):
        assert getattr(bounds.Workload, name) == getattr(Replay, name)
    assert bounds.Workload.pull_interval_s == Collect.pull_interval_s
    assert bounds.Workload.publish_interval_s == Train.publish_interval_s
    assert bounds.Workload.transitions_per_item == Replay().windows_per_item


def test_actors_may_be_ahead_as_the_rate_limiter_has_it() -> None:
    replay, collect, train = Replay(), Collect(), Train()
    few, many = (
        rate_limiter.smallest_tolerance(replay, collect, train, actors, 8.0)
        for actors in (10, 110)
    )
    ahead = bounds.demand(WORK, COSTS, 110).inserts_ahead
    assert (many - few) / 8 == ahead - bounds.demand(WORK, COSTS, 10).inserts_ahead


def test_a_prediction_uses_costs_of_as_many_actors() -> None:
    """Of the next fewer that were measured; of the fewest if there are none."""
    slower = dataclasses.replace(COSTS, info=1e-3)
    rows = bounds_tables.predict(WORK, {50: COSTS, 1_000: slower}, bounds.Host())
    assert [row["actors"] for row in rows] == [10, 100, 1_000, 10_000]
    looks = [row["looks"] / (2 * (row["actors"] + 2)) for row in rows]
    assert looks == pytest.approx([200e-6, 200e-6, 1e-3, 1e-3])
    assert rows[0]["bound by"] == "nothing"
    assert rows[2]["bound by"].startswith("learner")
