"""The self-hosted model's files, as far as they can be checked without a GPU.

Ray's own schemas read the YAML: ServeDeploySchema the file, LLMConfig each model (it needs no vLLM, unlike
`ray.serve.llm`). The names of vLLM's arguments are compared with those that were read in its source. No model is
loaded and no image is built here.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from panlect.llm.table import Model, ModelTable, Provider, Role, checked

ROOT = Path(__file__).resolve().parents[3]
CONFIG = ROOT / "cluster" / "serve" / "llm.yaml"
IMAGE = ROOT / "cluster" / "llm"
GUIDE = ROOT / "docs" / "how-to" / "self-hosted-models.md"
# Fields of vLLM's AsyncEngineArgs and FrontendArgs; Ray refuses to start with any other name.
VLLM_ARGUMENTS = {
    "tensor_parallel_size", "pipeline_parallel_size", "max_model_len", "gpu_memory_utilization", "enable_prefix_caching",
    "max_num_seqs", "dtype", "quantization", "reasoning_parser", "enable_auto_tool_choice", "tool_call_parser",
}  # fmt: skip
# Importing ray.llm sets up logging for the whole process, so it has one of its own.
READ_BY_RAY = """
import sys, yaml
from ray.serve.schema import ServeDeploySchema
from ray.llm._internal.serve.core.configs.llm_config import LLMConfig
config = ServeDeploySchema.parse_obj(yaml.safe_load(open(sys.argv[1])))
for application in config.applications:
    for one in application.args["llm_configs"]:
        read = LLMConfig.model_validate(one)
        print(application.route_prefix, read.model_id, read.accelerator_type, read.max_request_context_length)
"""


@pytest.fixture(scope="module")
def application() -> dict[str, Any]:
    (only,) = yaml.safe_load(CONFIG.read_text())["applications"]
    assert isinstance(only, dict)
    return only


def test_ray_reads_the_file_and_every_model_of_it() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READ_BY_RAY, str(CONFIG)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["/self-hosted", "qwen3-32b", "H100", "32768"]


def test_the_engine_is_given_no_argument_that_it_does_not_know(application: dict[str, Any]) -> None:
    assert application["import_path"] == "ray.serve.llm:build_openai_app"
    assert application["args"].keys() == {"llm_configs"}
    for one in application["args"]["llm_configs"]:
        assert one["engine_kwargs"].keys() <= VLLM_ARGUMENTS
        assert "lora_config" not in one


def test_its_prefix_is_nobody_elses(application: dict[str, Any]) -> None:
    assert application["route_prefix"] not in ("/", "/api", "/auth", "/webhook", "/llm", "/mcp")


def test_the_guide_and_the_file_speak_of_the_same_model(application: dict[str, Any]) -> None:
    (one,) = application["args"]["llm_configs"]
    table = next(iter(tables()))
    assert table.providers["local"].url.endswith(f"{application['route_prefix']}/v1")
    facts = table.models[f"local/{one['model_loading_config']['model_id']}"]
    assert facts.window == one["engine_kwargs"]["max_model_len"]
    scaling = one["deployment_config"]["autoscaling_config"]
    most = scaling["max_replicas"] * scaling["target_ongoing_requests"]
    assert table.providers["local"].concurrency == most


def tables() -> Iterator[ModelTable]:
    """The files of models that the guide shows."""
    for block in re.findall(r"```toml\n(.*?)```", GUIDE.read_text(), re.DOTALL):
        found = tomllib.loads(block)
        yield ModelTable(
            {name: Provider(name, **fields) for name, fields in found["providers"].items()},
            {name: Model(**fields) for name, fields in found.get("models", {}).items()},
            {name: Role(tuple(chain)) for name, chain in found["roles"].items()},
        )


def test_every_table_of_the_guide_can_work() -> None:
    found = list(tables())
    assert len(found) == 4
    for table in found:
        checked(table)
        assert {provider.kind for provider in table.providers.values()} == {"compatible"}


def test_the_image_is_pinned_runs_as_nobody_special_and_holds_no_secret() -> None:
    lines = (IMAGE / "Dockerfile").read_text().splitlines()
    (base,) = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert re.fullmatch(r"[a-z0-9./-]+:\d+\.\d+\.\d+-[a-z-]+", base)
    text = "\n".join(line for line in lines if not line.startswith("#"))
    assert "--require-hashes" in text
    assert "HF_HUB_OFFLINE=1" in text
    assert text.index("USER 10001") < text.index("CMD ")
    assert not re.search(r"(?i)token|password|api_key|secret|^ARG ", text, re.MULTILINE)


def test_the_lock_has_what_is_required_each_file_by_its_hash() -> None:
    wanted = [
        line for line in (IMAGE / "requirements.txt").read_text().splitlines() if line[:1] not in ("#", "")
    ]
    lock = (IMAGE / "requirements.lock").read_text()
    pinned = dict(re.findall(r"^([a-z0-9_.-]+)==([^ \\]+) \\$", lock, re.MULTILINE))
    assert [line.replace("[llm]", "") for line in wanted] == [f"ray=={pinned['ray']}"]
    assert f"ray[data,default,serve]=={pinned['ray']}" in (ROOT / "pyproject.toml").read_text()
    assert "vllm" in pinned
    entries = re.split(r"\n(?=[a-z0-9])", lock.partition("\n")[2])
    assert len(entries) == len(pinned)
    assert all("--hash=sha256:" in entry for entry in entries)
