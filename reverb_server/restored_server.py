"""Starts Reverb with the newest snapshot of the replay table that can be read."""

from __future__ import annotations

import logging
from typing import Callable

import reverb

from experiment.errors import ConfigurationError, one_line
from reverb_server import replay_restore, tables
from reverb_server.replay_snapshots import ReplaySnapshots, Snapshot


def start(
    make_tables: Callable[[], list[reverb.Table]],
    port: int,
    snapshots: ReplaySnapshots,
    restore: bool,
) -> tuple[reverb.Server, Snapshot | None]:
    """Starts the server.

    Args:
      make_tables: Makes the tables by the settings in force.
      port: To serve at.
      snapshots: Of the run.
      restore: Whether to restore the replay table, from the newest snapshot that can
        be read.

    Returns:
      The server, and the snapshot it was restored from; None if the replay table is
      empty.

    Raises:
      ConfigurationError: A snapshot is of other data than the tables are made for.
    """
    made = make_tables()  # First: nothing is written for settings that are wrong.
    snapshots.prepare(discard=not restore)
    checkpointer = reverb.checkpointers.DefaultCheckpointer(str(snapshots.working))
    for snapshot in snapshots.newest_first() if restore else ():
        [replay] = [table for table in made if table.name == tables.REPLAY]
        try:
            items = replay_restore.make_checkpoint(
                snapshots.folder(snapshot), snapshots.working, replay
            )
            # Reverb raises RuntimeError for what it cannot read.
            server = reverb.Server(made, port=port, checkpointer=checkpointer)
        except OSError as error:  # The disk is full: older ones do not fit either.
            logging.error("no snapshot can be restored: %s", error)  # noqa: TRY400
            break
        except (replay_restore.DamagedSnapshotError, RuntimeError) as error:
            logging.error(  # noqa: TRY400
                "the replay snapshot of train step %d cannot be restored, trying the "
                "one before: %s",
                snapshot.train_step,
                one_line(error),
            )
            made = make_tables()  # Those were Reverb's already.
            continue
        finally:
            # Reverb would keep it, since its name comes after all dates, and delete
            # the next one that it writes itself.
            snapshots.clear_working()
        logging.info(
            "restored %d items of the replay table, of train step %d",
            items,
            snapshot.train_step,
        )
        return server, snapshot
    return reverb.Server(made, port=port, checkpointer=checkpointer), None


def tell_lost(snapshots: ReplaySnapshots, is_required: bool) -> None:
    """Says of a server that began empty that there were snapshots, if there were.

    Args:
      snapshots: Of the run.
      is_required: Whether the run must not go on without one.

    Raises:
      ConfigurationError: There are some, and it must not.
    """
    if not snapshots.are_there():
        return
    text = "no snapshot of the replay table in this run's folder can be read"
    if is_required:
        raise ConfigurationError(
            f"{text}: see the lines before; go on with an empty table by "
            "--resume --discard_replay."
        )
    logging.error("%s: it is empty now", text)
