"""The files under deploy/ agree with each other and with ``polymodal serve``."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from polymodal.cli import app
from polymodal.serving.gate import OPEN, ROUTES

DEPLOY = Path(__file__).parents[2] / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]["polymodal"]
DEPLOYMENT, SERVICE = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8"))
POD: dict[str, Any] = DEPLOYMENT["spec"]["template"]["spec"]
CONTAINER: dict[str, Any] = POD["containers"][0]
CMD = re.findall(r'"([^"]+)"', DOCKERFILE.splitlines()[-1])


@pytest.mark.parametrize("arguments", [CMD, COMPOSE["command"], CONTAINER["args"]])
def test_the_commands_are_ones_of_the_server(arguments: list[str]) -> None:
    serve = get_command(app).commands["serve"]  # type: ignore[attr-defined]
    known = {o for p in serve.params for o in (*p.opts, *p.secondary_opts)}
    assert {a for a in arguments if a.startswith("--")} <= known
    context = serve.make_context("serve", list(arguments))
    assert context.params["host"] == "0.0.0.0"
    assert context.params["runs"] == ["model=/run-directory"]


def test_nothing_runs_with_rights() -> None:
    assert re.search(r"^USER 10001$", DOCKERFILE, re.M)
    assert COMPOSE["cap_drop"] == ["ALL"] and COMPOSE["read_only"]
    assert COMPOSE["ports"][0].startswith("127.0.0.1:")
    assert POD["securityContext"]["runAsNonRoot"] and not POD["automountServiceAccountToken"]
    bounds = CONTAINER["securityContext"]
    assert bounds["capabilities"]["drop"] == ["ALL"] and bounds["readOnlyRootFilesystem"]
    assert not bounds["allowPrivilegeEscalation"]
    assert {"cpu", "memory"} == set(CONTAINER["resources"]["limits"])


def test_probes_ports_and_mounts_agree() -> None:
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        at = CONTAINER[probe]["httpGet"]
        assert at["path"] in OPEN and at["path"] in ROUTES and at["port"] == "http"
    assert CONTAINER["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert (
        SERVICE["spec"]["selector"].items() <= DEPLOYMENT["spec"]["selector"]["matchLabels"].items()
    )
    assert SERVICE["spec"]["ports"][0]["targetPort"] == CONTAINER["ports"][0]["name"]
    assert {m["name"] for m in CONTAINER["volumeMounts"]} == {v["name"] for v in POD["volumes"]}
    assert all(m.get("readOnly") for m in CONTAINER["volumeMounts"] if m["name"] != "tmp")
    # Longer than the server takes to answer what is inside.
    assert POD["terminationGracePeriodSeconds"] > 30
