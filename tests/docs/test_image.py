"""The Dockerfile: of what there is."""

from __future__ import annotations

import json
import re

from launch.doctor import options as doctor_options
from tests.docs.markdown import ROOT


def test_the_image_has_an_init_and_has_seen_the_doctor() -> None:
    """Not built here: its steps are those of any checkout."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    [entry] = re.findall(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)
    init, _, python, script = json.loads(entry)
    assert init == "tini"
    assert python == ".venv/bin/python"
    assert (ROOT / script).is_file()
    assert re.search(r"apt-get install [^&]*\btini\b", text)
    set_up, doctor = (
        re.search(r"\blaunch/setup\.sh\n", text),
        re.search(
            r"^RUN \.venv/bin/python -m launch\.doctor (.*)$", text, re.MULTILINE
        ),
    )
    assert set_up
    assert doctor
    assert set_up.start() < doctor.start()
    doctor_options.parser().parse_args(doctor[1].split())
