"""The Dockerfile: of what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

from launch.doctor import options as doctor_options
from tests.docs.markdown import ROOT

_TEXT = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")


def test_the_image_has_an_init_and_has_seen_the_doctor() -> None:
    """Not built by the tests: its steps are those of any checkout."""
    [entry] = re.findall(r"^ENTRYPOINT (.*)$", _TEXT, re.MULTILINE)
    init, _, python, script = json.loads(entry)
    assert init == "tini"
    assert python == ".venv/bin/python"
    assert (ROOT / script).is_file()
    assert re.search(r"apt-get install [^&]*\btini\b", _TEXT)
    set_up, doctor = (
        re.search(r"\blaunch/setup\.sh\n", _TEXT),
        re.search(
            r"^RUN \.venv/bin/python -m launch\.doctor (.*)$", _TEXT, re.MULTILINE
        ),
    )
    assert set_up
    assert doctor
    assert set_up.start() < doctor.start()
    doctor_options.parser().parse_args(doctor[1].split())


def test_the_home_of_the_user_is_all_theirs() -> None:
    """A cache that is mounted makes the folders above it, and makes them root's."""
    [made] = re.findall(r"install --directory --owner=antiphon ([^&\n]*)", _TEXT)
    [mounted] = re.findall(r"--mount=type=cache,target=([^,\s]+)", _TEXT)
    assert str(Path(mounted).parent) in made.split()
