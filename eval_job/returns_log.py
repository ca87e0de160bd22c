"""The record of all evaluations of a run, for people, programs and TensorBoard."""

from __future__ import annotations

import logging
from pathlib import Path

import tensorflow as tf

from eval_job import video_summary
from eval_job.returns_file import Row, append, read
from experiment import run_dir
from reverb_server.figures import AXES

# The one name of all videos that are recorded on the way: TensorBoard shows them by
# their train steps.
_ON_THE_WAY = "on_the_way"


class ReturnsLog:
    """Keeps the evaluations of a run in its folder."""

    def __init__(self, root_dir: Path) -> None:
        """Args: root_dir: Folder of the run."""
        self._root_dir = root_dir
        self._summaries = tf.summary.create_file_writer(
            str(root_dir / run_dir.EVAL_DIR)
        )

    @property
    def baseline(self) -> Row | None:
        """The evaluation of the random policy, if there was one."""
        rows = read(self._root_dir / run_dir.RANDOM_RETURNS)
        return rows[0] if rows else None

    @property
    def rows(self) -> list[Row]:
        """All evaluations of trained weights, oldest first."""
        return read(self._root_dir / run_dir.RETURNS)

    def add_baseline(self, row: Row) -> None:
        """Keeps the evaluation of the random policy."""
        append(self._root_dir / run_dir.RANDOM_RETURNS, row)

    def add(self, row: Row) -> None:
        """Keeps one evaluation, over train steps and over environment steps.

        A full disk costs the row, not the run: the log has it too.
        """
        try:
            append(self._root_dir / run_dir.RETURNS, row)
            self._summarize(row)
        except (OSError, tf.errors.OpError) as error:
            logging.error("an evaluation could not be kept: %s; %s", row, error)  # noqa: TRY400

    def add_video(self, path: Path, train_step: int | None = None) -> None:
        """Lets TensorBoard show a video; another thread may add evaluations meanwhile.

        A picture that cannot be made costs itself, not the run, nor the video.

        Args:
          path: mp4 file; it is whole.
          train_step: Of the weights that it shows, if it was recorded on the way; else
            it is that of the newest evaluation.
        """
        name = path.stem if train_step is None else _ON_THE_WAY
        try:
            if train_step is None:
                rows = self.rows
                train_step = rows[-1].train_step if rows else 0
            with self._summaries.as_default():
                video_summary.write(path, name, train_step)
            self._summaries.flush()
        except Exception:  # Whatever ffmpeg or the disk raises.
            logging.exception("no summary of the video %s", path.name)

    def _summarize(self, row: Row) -> None:
        """Writes it for TensorBoard."""
        with self._summaries.as_default():
            for axis, group in AXES.items():
                name, step = f"{group}/AverageReturn", getattr(row, axis)
                tf.summary.scalar(name, row.average_return, step=step)
        self._summaries.flush()
