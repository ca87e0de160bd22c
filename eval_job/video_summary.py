"""Videos as animated pictures for TensorBoard, which cannot play mp4 files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import tensorflow as tf
from tensorboard.plugins.image import metadata

# A picture that is small enough to be read with the curves: some 0.5 MB.
_MAX_WIDTH = 200
_MAX_FRAMES = 300

# Seconds; a minute of video takes 1.
_TIMEOUT_S = 60

# The colours that are in it; those of a GIF are 256 at most.
_PALETTE = "split[a][b];[a]palettegen[p];[b][p]paletteuse"


def write(path: Path, name: str, train_step: int) -> None:
    """Adds a video to the summary writer that is the default one of this thread.

    Args:
      path: mp4 file.
      name: Of the summary.
      train_step: Of the weights that it shows.
    """
    picture = animated(path)
    width, height = picture[6:8], picture[8:10]  # See the GIF89a specification.
    sizes = [str(int.from_bytes(size, "little")) for size in (width, height)]
    tf.summary.write(
        f"videos/{name}",
        tf.constant([*sizes, picture]),
        train_step,
        metadata.create_summary_metadata(display_name=None, description=None),
    )


def animated(path: Path) -> bytes:
    """Makes a small GIF of a video: as long, but with fewer frames if need be."""
    frames, _ = imageio_ffmpeg.count_frames_and_secs(str(path))
    every = -(-frames // _MAX_FRAMES)
    filters = (
        f"select=not(mod(n\\,{every}))",
        f"scale=min({_MAX_WIDTH}\\,iw):-1",
        _PALETTE,
    )
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        *("-v", "error", "-threads", "1", "-i", str(path)),
        *("-vf", ",".join(filters), "-fps_mode", "vfr"),
        *("-f", "gif", "pipe:1"),
    ]
    done = subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT_S)
    return done.stdout
