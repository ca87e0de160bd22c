"""launch/kubernetes: whole, in order, and of what there is.

There is no cluster here. The schemas are the official ones of Kubernetes, as
kubernetes-validate has them; what pods run is compared with the code, or run.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from experiment import run_dir
from tests.docs.markdown import ROOT

_FOLDER = ROOT / "launch" / "kubernetes"
_KUSTOMIZATION = yaml.safe_load((_FOLDER / "kustomization.yaml").read_text())

# The first with all that is used here, and the newest that there is a schema of.
_VERSIONS = ("1.31", "1.37")

Manifest = dict[str, Any]
MANIFESTS: list[Manifest] = [
    document
    for name in _KUSTOMIZATION["resources"]
    for document in yaml.safe_load_all((_FOLDER / name).read_text())
]


def named(kind: str, name: str) -> Manifest:
    """The one manifest of this name."""
    [found] = [
        each
        for each in MANIFESTS
        if (each["kind"], each["metadata"]["name"]) == (kind, name)
    ]
    return found


def pod(component: str) -> Manifest:
    """The pod of one of the Jobs."""
    template: Manifest = named("Job", f"antiphon-{component}")["spec"]["template"]
    return template


JOBS = [each for each in MANIFESTS if each["kind"] == "Job"]
NAMES = [job["metadata"]["name"] for job in JOBS]


def containers(job: Manifest) -> Iterator[Manifest]:
    """All of a pod, those of its beginning too."""
    spec = job["spec"]["template"]["spec"]
    yield from spec.get("initContainers", [])
    yield from spec["containers"]


def words(component: str) -> list[str]:
    """Role and flags that the container of a pod starts with."""
    [container] = pod(component)["spec"]["containers"]
    text = " ".join(container["args"])
    if "command" in container:  # A script for bash.
        flags = re.findall(r"(?<=\s)--[a-z_]+(?:=\S+)?", text)
        return ["reverb_server", *flags]
    return text.split()


@pytest.mark.parametrize("version", _VERSIONS)
def test_manifests_keep_to_the_official_schemas(version: str) -> None:
    """Strictly: a field that Kubernetes does not know is an error."""
    for manifest in MANIFESTS:
        kubernetes_validate.validate(manifest, version, strict=True)
    broken = json.loads(json.dumps(JOBS[0]))
    broken["spec"]["template"]["spec"]["containers"][0]["resourcez"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, version, strict=True)


def test_every_manifest_is_applied() -> None:
    """None lies there unused."""
    files = {path.name for path in _FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(_KUSTOMIZATION["resources"]) == files
    assert sorted(NAMES) == [
        "antiphon-actors",
        "antiphon-eval-job",
        "antiphon-learner",
        "antiphon-server",
    ]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl_makes_of_them_what_they_say() -> None:
    """With the image's tag, which stands in one place only."""
    built = subprocess.run(
        ["kubectl", "kustomize", _FOLDER],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    made = list(yaml.safe_load_all(built.stdout))
    assert len(made) == len(MANIFESTS)
    [image] = _KUSTOMIZATION["images"]
    used = re.findall(r"image: (\S+)", built.stdout)
    assert set(used) == {f"{image['name']}:{image['newTag']}"}
    assert f"docker build -t {used[0]} ." in (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize(
    ("component", "role"),
    [
        ("server", "reverb_server"),
        ("learner", "learner"),
        ("eval-job", "eval_job"),
        ("actors", "actor"),
    ],
)
def test_pods_start_roles_with_flags_that_there_are(
    component: str, role: str, interface: dict[str, Any]
) -> None:
    """And reach the server where it is."""
    started, *flags = words(component)
    assert started == role
    given = dict(flag[2:].partition("=")[::2] for flag in flags)
    assert set(given) <= set(interface["flags"][role])
    service = named("Service", "antiphon-server")
    port = service["spec"]["ports"][0]["port"]
    if role == "reverb_server":
        assert given["port"] == str(port)
        assert (ROOT / "configs" / given["gin_file"]).is_file()
    else:
        address = f"{service['metadata']['name']}:{port}"
        assert given["server_address"] == address
        assert (role == "actor") == ("root_dir" not in given)


def test_as_many_actors_are_counted_as_are_started() -> None:
    """Each with a number of its own."""
    spec = named("Job", "antiphon-actors")["spec"]
    assert spec["completionMode"] == "Indexed"
    assert spec["parallelism"] == spec["completions"]
    assert f"--num_actors={spec['completions']}" in words("server")
    [container] = spec["template"]["spec"]["containers"]
    assert "--task=$(TASK)" in container["args"]
    [task] = container["env"]
    path = task["valueFrom"]["fieldRef"]["fieldPath"]
    assert path == "metadata.annotations['batch.kubernetes.io/job-completion-index']"


@pytest.mark.parametrize("job", JOBS, ids=NAMES)
def test_pods_are_bounded_and_have_no_rights(job: Manifest) -> None:
    """Each container says what it needs, and ends by the exit codes of the roles."""
    spec = job["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert not spec["automountServiceAccountToken"]
    for container in containers(job):
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container.get("command", ["tini"])[0] == "tini"
    [container] = spec["containers"]
    rules = job["spec"]["podFailurePolicy"]["rules"]
    never_again = {"containerName": container["name"], "operator": "In", "values": [2]}
    assert {"action": "FailJob", "onExitCodes": never_again} in rules


def test_the_server_is_probed_at_its_ports() -> None:
    """By their names; it serves figures, which the probe of its life asks for."""
    [container] = pod("server")["spec"]["containers"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert container["readinessProbe"]["tcpSocket"]["port"] in ports
    assert container["startupProbe"]["tcpSocket"]["port"] in ports
    assert container["livenessProbe"]["httpGet"] == {
        "path": "/metrics",
        "port": "metrics",
    }
    flags = words("server")
    assert f"--port={ports['reverb']}" in flags
    assert f"--metrics_port={ports['metrics']}" in flags


def test_only_pods_of_the_run_reach_the_server() -> None:
    """And none of them is reached otherwise."""
    run = {"app.kubernetes.io/name": "antiphon"}
    server = {**run, "app.kubernetes.io/component": "server"}
    for job in JOBS:
        labels = job["spec"]["template"]["metadata"]["labels"]
        assert run.items() <= labels.items()
        is_server = server.items() <= labels.items()
        assert is_server == (job["metadata"]["name"] == "antiphon-server")
    everyone = named("NetworkPolicy", "antiphon")["spec"]
    assert everyone["podSelector"] == {"matchLabels": run}
    assert set(everyone["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in everyone
    of_server = named("NetworkPolicy", "antiphon-server")["spec"]
    assert of_server["podSelector"] == {"matchLabels": server}
    reverb, metrics = of_server["ingress"]
    assert reverb == {
        "from": [{"podSelector": {"matchLabels": run}}],
        "ports": [{"port": 8008}],
    }
    assert metrics["ports"] == [{"port": 9090}]


def test_claims_are_there_for_all_that_is_kept() -> None:
    """Actors keep nothing."""
    claims = {
        volume["persistentVolumeClaim"]["claimName"]
        for job in JOBS
        for volume in job["spec"]["template"]["spec"].get("volumes", [])
    }
    made = {
        each["metadata"]["name"]
        for each in MANIFESTS
        if each["kind"] == "PersistentVolumeClaim"
    }
    assert claims == made
    assert len(made) == 3


def test_a_server_that_is_started_again_resumes(tmp_path: Path) -> None:
    """And says the end again if it died at the end; with another Python and folder."""
    [container] = pod("server")["spec"]["containers"]
    [script] = container["args"]
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    script = script.replace("/data/run", str(tmp_path / "run"))

    def started() -> str:
        return subprocess.run(
            [*container["command"][2:], script],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout

    always = f"launch/run_module.py reverb_server --root_dir={tmp_path / 'run'} --port="
    assert started().startswith(always)
    assert started().endswith(" --gin_file=dqn_cartpole.gin --num_actors=4\n")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").touch()
    assert started().startswith(always)
    assert started().endswith(" --resume\n")
    assert "--gin_file" not in started()
    assert "--num_actors" not in started()  # It may have been scaled.
    (tmp_path / "run" / run_dir.END).touch()
    assert started().startswith(always)
    assert started().endswith(" --is_restart\n")


def test_the_others_await_the_server() -> None:
    """By a script of the image; if it is in vain, it is not tried again."""
    for job in JOBS:
        pod_spec = job["spec"]["template"]["spec"]
        if job["metadata"]["name"] == "antiphon-server":
            assert "initContainers" not in pod_spec
            continue
        [container] = pod_spec["initContainers"]
        [*_, script] = container["command"]
        assert os.access(ROOT / script, os.X_OK)
        assert container["args"] == ["antiphon-server", "8008"]
        is_indexed = job["spec"].get("completionMode") == "Indexed"
        in_vain = {"containerName": container["name"], "operator": "In", "values": [3]}
        action = "FailIndex" if is_indexed else "FailJob"
        rule = {"action": action, "onExitCodes": in_vain}
        assert rule in job["spec"]["podFailurePolicy"]["rules"]
