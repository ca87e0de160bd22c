"""The report in a browser without network: no errors, all is drawn, videos play."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from launch.report import page
from tests.launch.report import a_folder

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no chromium, chromium-browser or google-chrome on PATH"
)

_TIMEOUT_S = 100

# Before all other scripts: errors are kept, and the page's own question about colours.
_FIRST = """<script>
window.errors = [];
addEventListener("error", event => errors.push(String(event.message)));
addEventListener("unhandledrejection", event => errors.push(String(event.reason)));
addEventListener("securitypolicyviolation", event => errors.push(event.blockedURI));
const ask = window.matchMedia;
window.matchMedia = query => window.media = ask.call(window, query);
</script>"""

# After all others: what the page has come to, also once each button was pressed.
_LAST = """<script>
const drawn = () => [...document.querySelectorAll(".chart")].map(chart => ({
  figure: chart.dataset.figure,
  lines: chart.querySelectorAll(".scatterlayer path.js-line").length,
  ticks: [...chart.querySelectorAll(".xtick text")].map(text => text.textContent),
  colour: chart.querySelector(".xtick text")?.style.fill,
  width: chart.querySelector("svg").getBoundingClientRect().width,
}));
setTimeout(async () => {
  const charts = drawn();
  const tabs = [];
  for (const button of document.querySelectorAll(".tabs button")) {
    button.click();
    tabs.push(drawn()[0]);
  }
  media.dispatchEvent(new Event("change"));
  const videos = [...document.querySelectorAll("video")];
  const played = await Promise.all(videos.map(video => video.play().then(
    () => ({error: video.error?.message ?? null, seconds: video.duration}),
    error => ({error: String(error), seconds: 0}))));
  const verdict = document.createElement("pre");
  verdict.id = "verdict";
  verdict.textContent = JSON.stringify({charts, tabs, played, errors});
  document.body.append(verdict);
}, 1000);
</script></body>"""


def browse(report: Path, *flags: str) -> tuple[str, list[str]]:
    """Opens a file; returns what the browser prints, and what the page logs."""
    command = [
        str(BROWSER),
        "--headless",
        "--no-sandbox",  # It does not start as root otherwise; the page is our own.
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={report.parent / 'profile'}",
        "--window-size=1200,1600",
        "--virtual-time-budget=20000",
        "--enable-logging=stderr",
        "--v=0",
        *flags,
        report.as_uri(),
    ]
    browser = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, log = browser.communicate(timeout=_TIMEOUT_S)
    finally:
        if browser.poll() is None:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
    return out, [line for line in log.splitlines() if "CONSOLE" in line]


def verdict(report: Path) -> dict[str, Any]:
    """What a page has come to in the browser."""
    text = report.read_text(encoding="utf-8")
    text = text.replace("<head>", f"<head>{_FIRST}", 1)
    copy = report.with_name("copy.html")
    copy.write_text(text.replace("</body>", _LAST, 1), encoding="utf-8")
    out, logged = browse(copy, "--dump-dom")
    assert logged == []
    [found] = re.findall(r'<pre id="verdict">(.*?)</pre>', out, re.DOTALL)
    result: dict[str, Any] = json.loads(html.unescape(found))
    assert result["errors"] == []
    return result


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a finished run with its videos."""
    folder = a_folder.make(tmp_path_factory.mktemp("run"))
    a_folder.finish(folder)
    for name in ("trained", "random"):
        a_folder.write_video(folder / "videos" / f"{name}.mp4")
    page.write([folder], folder / "report.html")
    return folder / "report.html"


def test_a_run_is_drawn_and_its_videos_play(report: Path) -> None:
    found = verdict(report)
    returns, over_time = found["charts"]
    assert returns["figure"] == "train_step"
    assert returns["lines"] >= 5
    assert over_time["lines"] >= 15
    assert returns["width"] > 900
    assert "0:00:30" in over_time["ticks"]
    assert [tab["figure"] for tab in found["tabs"]] == [
        "train_step",
        "env_steps",
        "wall_time_s",
    ]
    assert all(tab["lines"] == returns["lines"] for tab in found["tabs"])
    assert "14k" in found["tabs"][1]["ticks"]
    assert "0:01:00" in found["tabs"][2]["ticks"]
    errors = [video["error"] for video in found["played"]]
    if any("supported source" in str(error) for error in errors):
        pytest.skip("this browser was built without H.264, which the videos are in")
    assert errors == [None, None]
    assert [video["seconds"] for video in found["played"]] == pytest.approx([1, 1], 0.1)


def test_several_runs_are_drawn(tmp_path: Path) -> None:
    folders = [
        a_folder.make(tmp_path / f"{n}", seed=n, run_id=f"{n}") for n in range(3)
    ]
    page.write(folders, tmp_path / "report.html")
    found = verdict(tmp_path / "report.html")
    assert [chart["lines"] for chart in found["charts"]] == [5]
    assert all(tab["lines"] == 5 for tab in found["tabs"])


def test_a_run_that_has_just_begun_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(a_folder.MANIFEST.to_json())
    page.write([tmp_path], tmp_path / "report.html")
    assert verdict(tmp_path / "report.html")["charts"] == []


@pytest.mark.parametrize(("scheme", "is_dark"), [(0, True), (1, False)])
def test_the_page_is_as_dark_as_the_reader_likes(
    report: Path, scheme: int, is_dark: bool
) -> None:
    """Its ground, its cards and its pictures; 0 is Chromium's number of dark."""
    picture = report.with_name(f"{scheme}.png")
    flags = f"--screenshot={picture}", f"--blink-settings=preferredColorScheme={scheme}"
    assert browse(report, *flags)[1] == []
    levels = np.asarray(Image.open(picture).convert("L"))
    assert (np.median(levels) < 60) == is_dark
    # A strip through the chart of returns: its ground, and letters that can be read.
    strip = levels[300:600, 150:1050]
    assert (np.median(strip) < 60) == is_dark
    assert int(strip.max()) - int(strip.min()) > 120
