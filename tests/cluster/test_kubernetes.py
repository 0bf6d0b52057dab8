"""The manifest of a distributed search."""

import json
import pathlib
import re
import subprocess
import textwrap

import pytest

MANIFEST = pathlib.Path(__file__).parents[2] / "cluster" / "search_kubernetes.yaml"


def worker_script():
    """The shell script of the manifest's only block of text."""
    block = re.search(r"- \|\n((?: {14}.*\n)+)", MANIFEST.read_text())[1]
    return textwrap.dedent(block)


@pytest.fixture
def run_worker(tmp_path):
    """Runs the script with an `lgcnet-search` of the given body."""

    def run(index, body):
        command = tmp_path / "lgcnet-search"
        command.write_text(f"#!/bin/bash\n{body}\n")
        command.chmod(0o755)
        (tmp_path / "run").mkdir(exist_ok=True)
        environment = {
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "WORKERS": "3",
            "JOB_COMPLETION_INDEX": str(index),
            "RUN": str(tmp_path / "run"),
            "OUT": str(tmp_path / "out"),
        }
        script = ["bash", "-c", worker_script()]
        return subprocess.run(script, env=environment, check=False).returncode

    return run


@pytest.mark.parametrize("index", [0, 2])
def test_each_pod_gets_its_tf_config(run_worker, tmp_path, index):
    assert run_worker(index, 'echo "$TF_CONFIG" > $OUT; touch $RUN/results.json') == 0
    assert json.loads((tmp_path / "out").read_text()) == {
        "cluster": {
            "worker": [f"lgcnet-search-{n}.lgcnet-search:2222" for n in range(3)]
        },
        "task": {"type": "worker", "index": index},
    }


def test_a_worker_is_done_only_with_results(run_worker, tmp_path):
    assert run_worker(1, "exit 0") == 1  # told to stop: Kubernetes starts it again
    assert run_worker(1, "touch $RUN/results.json") == 0
    assert run_worker(1, "touch $OUT") == 0
    assert not (tmp_path / "out").exists()  # a finished run is left alone


def test_the_manifest_is_yaml_whose_parts_fit_together():
    yaml = pytest.importorskip("yaml")
    service, claim, job = yaml.safe_load_all(MANIFEST.read_text())
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert job["spec"]["completionMode"] == "Indexed"
    assert job["spec"]["completions"] == job["spec"]["parallelism"]
    variables = {each["name"]: each["value"] for each in container["env"]}
    assert variables["WORKERS"] == str(job["spec"]["completions"])
    assert service["spec"]["clusterIP"] == "None"
    assert pod["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    (volume,) = pod["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert container["args"] == [worker_script()]
