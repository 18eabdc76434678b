"""The objects for Kubernetes fit its API, the chart's values, and what Compose says.

The models of the client for Python, which is locked, are of the API's own definition: a field that they don't know is
none. With kubernetes-validate (or kubeconform) at hand the schemas themselves are asked.
"""

from __future__ import annotations

import re
import typing
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values

from embedded.airflow import AFTER_A_KILL
from newswatch import __version__
from newswatch.config import plain
from newswatch.settings import Settings
from newswatch.sign_on import SignOn

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/kubernetes"
VALUES = plain((ROOT / "deploy/helm/values.yaml").read_text())
COMPOSE = plain((ROOT / "docker-compose.yml").read_text())
OBJECTS = [d for path in sorted(FOLDER.glob("*.yaml")) for d in yaml.load_all(path.read_text(), yaml.CSafeLoader)]
MODELS = {
    "Namespace": "V1Namespace",
    "ConfigMap": "V1ConfigMap",
    "Secret": "V1Secret",
    "NetworkPolicy": "V1NetworkPolicy",
    "Job": "V1Job",
    "CronJob": "V1CronJob",
    "Deployment": "V1Deployment",
}
OF_KUBERNETES = [each for each in OBJECTS if each["kind"] in MODELS]
PRIMITIVES: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "bool": (bool,), "object": (object,)}


def named(kind: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in OBJECTS if each["kind"] == kind and each["metadata"]["name"] == name)
    return typing.cast(dict[str, Any], found)


def faults(value: Any, kind: str, where: str) -> Iterator[str]:
    """What doesn't fit the client's model of this name."""
    from kubernetes import client

    if match := re.fullmatch(r"list\[(.+)\]|dict\(str, (.+)\)", kind):
        items = value if match[1] else value.values() if isinstance(value, dict) else None
        if not isinstance(value, list if match[1] else dict):
            yield f"{where}: is no {kind}"
            return
        for number, item in enumerate(items or ()):
            yield from faults(item, match[1] or match[2], f"{where}[{number}]")
    elif kind in PRIMITIVES:
        if not isinstance(value, PRIMITIVES[kind]) or (kind == "int" and isinstance(value, bool)):
            yield f"{where}: is no {kind}"
    elif hasattr(client, kind):
        yield from _model_faults(value, getattr(client, kind), where)


def _model_faults(value: Any, model: Any, where: str) -> Iterator[str]:
    fields = {json: attribute for attribute, json in model.attribute_map.items()}
    if not isinstance(value, dict):
        yield f"{where}: is no {model.__name__}"
        return
    for key, inner in value.items():
        if key not in fields:
            yield f"{where}.{key}: {model.__name__} has no such field"
        else:
            yield from faults(inner, model.openapi_types[fields[key]], f"{where}.{key}")


@pytest.mark.parametrize("each", OF_KUBERNETES, ids=lambda each: f"{each['kind']} {each['metadata']['name']}")
def test_an_object_has_the_fields_of_its_kind(each: dict[str, Any]) -> None:
    assert not [*faults(each, MODELS[each["kind"]], each["kind"])]


def test_what_is_no_field_is_found() -> None:
    wrong = {
        "kind": "Job",
        "spec": {"template": {"spec": {"containers": [{"nmae": "x", "ports": [{"containerPort": "x"}]}]}}},
    }
    told = [*faults(wrong, "V1Job", "Job")]
    assert told == [
        "Job.spec.template.spec.containers[0].nmae: V1Container has no such field",
        "Job.spec.template.spec.containers[0].ports[0].containerPort: is no int",
    ]


def test_objects_fit_the_schemas_of_kubernetes() -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not here")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for each in OF_KUBERNETES:
            validator.validate(each, validator.latest_version(), strict=True)


def leaves(values: Any, known: dict[str, str | None], path: str = "") -> Iterator[tuple[str, Any]]:
    """Path → value, no deeper than the chart's reference names it."""
    if isinstance(values, dict) and path not in known:
        for key, value in values.items():
            yield from leaves(value, known, f"{path}.{key}".lstrip("."))
    else:
        yield path, values


def test_the_charts_values_are_those_that_it_has() -> None:
    known = plain(Path(__file__).with_name("chart_1_22.yaml").read_text())
    found = dict(leaves(VALUES, known))
    assert found.keys() == known.keys()
    kinds: dict[str, type] = {"str": str, "int": int, "bool": bool}
    assert not [path for path, kind in known.items() if kind and type(found[path]) is not kinds[kind]]


def test_keda_reads_a_connection_without_a_driver_and_airflow_one_with_it() -> None:
    secret = named("Secret", "newswatch-airflow-metadata")["stringData"]
    assert VALUES["data"]["metadataSecretName"] == "newswatch-airflow-metadata"
    # KEDA is given the key `connection`, where PgBouncer is off.
    assert secret["connection"].startswith("postgresql://")
    assert VALUES["enableBuiltInSecretEnvVars"] == {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": False}
    (own,) = plain(VALUES["extraEnv"])
    assert own["name"] == "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
    assert secret[own["valueFrom"]["secretKeyRef"]["key"]].startswith("postgresql+psycopg2://")
    used = re.findall(r"name: newswatch-airflow-metadata, key: (\w+)", (FOLDER / "services.yaml").read_text())
    assert {*used} == {"sqlAlchemyConnection"}


def test_every_setting_is_one_and_every_secret_has_its_place() -> None:
    shared = named("ConfigMap", "newswatch-settings")["data"]
    secret = named("Secret", "newswatch-secrets")["stringData"]
    ours = {name for name in {*shared, *secret} if name.startswith("NEWSWATCH_")}
    assert {name.removeprefix("NEWSWATCH_").lower() for name in ours} <= Settings.model_fields.keys()
    assert not any(secret.values()), "the example holds no secret"
    secrets = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert not {name.removeprefix("NEWSWATCH_").lower() for name in shared} & secrets
    sso = named("Secret", "newswatch-sso")["stringData"]
    assert {name.removeprefix("SSO_").lower() for name in sso} <= SignOn.model_fields.keys()
    mentioned = re.findall(r"newswatch-[a-z-]+", (ROOT / "deploy/helm/values.yaml").read_text() + yaml.dump(OBJECTS))
    made_by_eck = {"newswatch-es-http-certs-public", "newswatch-kb-http-certs-public", "newswatch-es-elastic-user"}
    objects = {each["metadata"]["name"] for each in OBJECTS if "metadata" in each}
    services = {"newswatch-es-http", "newswatch-kb-http"}
    assert set(mentioned) <= objects | made_by_eck | services | {"newswatch-config"}


def test_it_is_of_the_versions_of_compose() -> None:
    elastic = {named(kind, "newswatch")["spec"]["version"] for kind in ("Elasticsearch", "Kibana")}
    assert elastic == {COMPOSE["services"]["kibana"]["image"].partition("@")[0].rpartition(":")[2]}
    assert VALUES["images"]["airflow"]["tag"] == __version__
    (image,) = plain((FOLDER / "kustomization.yaml").read_text())["images"]
    assert (image["newName"], image["newTag"]) == (VALUES["images"]["airflow"]["repository"], __version__)
    locked = dict(re.findall(r"^([a-z-]+)==([\d.]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert VALUES["airflowVersion"] == locked["apache-airflow"]
    assert {"apache-airflow-providers-celery", "apache-airflow-providers-cncf-kubernetes"} <= locked.keys()


def test_elasticsearchs_role_is_that_of_compose() -> None:
    role = plain(named("Secret", "newswatch-es-roles")["stringData"]["roles.yml"])["newswatch"]
    script = (ROOT / "docker/elasticsearch-users.sh").read_text()
    body = plain(script.partition("_security/role/newswatch '")[2].partition("'\n")[0])
    assert role["cluster"] == body["cluster"]
    assert set(role["indices"][0]["names"]) == set(body["indices"][0]["names"])


def test_airflow_is_told_what_compose_tells_it() -> None:
    stated = COMPOSE["x-environment"]
    told = {f"AIRFLOW__SCHEDULER__{key.upper()}": value for key, value in VALUES["config"]["scheduler"].items()}
    assert told == {key: stated[key] for key in told}
    assert len(told) == 5
    for of_all in (AFTER_A_KILL, dotenv_values(ROOT / "deploy/debian/environment.example")):
        assert {key: str(of_all[key]) for key in AFTER_A_KILL} == {key: str(told[key]) for key in AFTER_A_KILL}
    assert (
        VALUES["config"]["celery_broker_transport_options"]["visibility_timeout"]
        == (stated["AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"])
    )
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"AIRFLOW__CORE__DAGS_FOLDER={VALUES['config']['core']['dags_folder']}" in dockerfile
    assert f"AIRFLOW__FAB__CONFIG_FILE={VALUES['config']['fab']['config_file']}" in dockerfile
    assert "/entrypoint" in dockerfile, "the chart's probes call commands through it"


def test_our_pods_have_no_rights_and_bounds() -> None:
    specs = [each["spec"]["template"]["spec"] for each in OBJECTS if each["kind"] in ("Job", "Deployment")]
    specs.append(named("CronJob", "newswatch-cleaner")["spec"]["jobTemplate"]["spec"]["template"]["spec"])
    for spec in specs:
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        (container,) = spec["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


def test_whoever_needs_elasticsearch_is_let_in() -> None:
    rules = named("NetworkPolicy", "elasticsearch")["spec"]["ingress"]
    admitted = [peer["podSelector"]["matchLabels"] for rule in rules for peer in rule["from"] if "podSelector" in peer]
    ours = [each for each in OBJECTS if each["kind"] in ("Job", "Deployment")]
    for each in ours:
        labels = each["spec"]["template"]["metadata"]["labels"]
        assert any(wanted.items() <= labels.items() for wanted in admitted), each["metadata"]["name"]
    assert named("NetworkPolicy", "nobody-in")["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
