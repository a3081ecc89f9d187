"""Which embedding model, and what makes its vectors comparable: weights, dimension, prompts.

All of that is in the key under which vectors are kept, so vectors of two models, two dimensions or two prompts
can stand side by side and are never compared.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from panlect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from panlect.index.embed import Embedder

BUNDLED, HASHING, ENDPOINT = "bundled", "hashing", "endpoint:"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """An embedding model as an operator names it.

    `name`: `bundled`, `hashing`, a folder, the id of a model in this machine's model cache, or
    `endpoint:MODEL` for one behind an OpenAI-compatible address. `dimension` 0: the model's own.
    """

    name: str
    dimension: int = 0
    query_prompt: str = ""
    document_prompt: str = ""

    def as_json(self) -> dict[str, Any]:
        """What is stored beside the vectors."""
        return asdict(self)

    @staticmethod
    def of(stored: Mapping[str, Any]) -> ModelSpec:
        """The spec that `as_json` wrote."""
        return ModelSpec(**stored)


# The default where there is a GPU: Matryoshka vectors cut to 512; the prompt is the one it was trained with.
QWEN3 = ModelSpec(
    "Qwen/Qwen3-Embedding-0.6B",
    512,
    "Instruct: Given a question about a code base, retrieve the code that answers it\nQuery:",
)
PRESETS = {"qwen3": QWEN3}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where `endpoint:` models are asked: the gateway, or any OpenAI-compatible server."""

    url: str = ""
    token: str = field(default="", repr=False)
    allow: tuple[str, ...] = ()


def named(name: str, *, dimension: int = 0, query_prompt: str = "", document_prompt: str = "") -> ModelSpec:
    """The spec of a name, a preset's own values where nothing else is said."""
    preset = PRESETS.get(name, ModelSpec(name))
    return ModelSpec(
        preset.name,
        dimension or preset.dimension,
        query_prompt or preset.query_prompt,
        document_prompt or preset.document_prompt,
    )


def key_of(spec: ModelSpec) -> str:
    """Under which the vectors of a model are kept, without loading it.

    Raises ConfigurationError when the model is not on this machine.
    """
    if spec.name == HASHING:
        return f"hashing-{spec.dimension or 384}"
    if spec.name == BUNDLED:
        base = "all-MiniLM-L6-v2"
    elif spec.name.startswith(ENDPOINT):
        base = spec.name
    else:
        folder = folder_of(spec)
        base = f"{Path(spec.name).name}:{weights_digest(folder)[:12]}"
    return base + _suffix(spec)


def _suffix(spec: ModelSpec) -> str:
    prompts = f"{spec.query_prompt}\0{spec.document_prompt}"
    said = f"/{spec.dimension}" if spec.dimension else ""
    return said + (f"+{hashlib.sha256(prompts.encode()).hexdigest()[:8]}" if prompts != "\0" else "")


def folder_of(spec: ModelSpec) -> Path:
    """The folder of a model's files: a path as it is, an id from this machine's model cache, never the network."""
    path = Path(spec.name)
    if path.is_dir():
        return path
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise ConfigurationError(
            f"The embedding model {spec.name!r} needs the server's packages.", fix="Run `make setup`."
        ) from error
    try:
        return Path(snapshot_download(spec.name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError) as error:
        raise ConfigurationError(
            f"The embedding model {spec.name!r} is not on this machine.",
            why="It is no folder, and not in the model cache; nothing is downloaded while Panlect runs.",
            fix="Use bundled, hashing, qwen3 or the path of a model folder, or put the model into the cache first.",
        ) from error


def weights_digest(folder: Path) -> str:
    """sha256 over the weight files of a folder, by name: other weights are another model.

    Raises ConfigurationError when there are none.
    """
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    if not files:
        raise ConfigurationError(
            f"{folder} holds no model weights.", fix="Give the folder with model.safetensors in it."
        )
    if len(files) == 1:
        return _sha256(files[0])
    joined = "".join(f"{file.name}:{_sha256(file)}\n" for file in files)
    return hashlib.sha256(joined.encode()).hexdigest()


def _sha256(path: Path) -> str:
    status = path.stat()
    return _digest(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _digest(path: Path, size: int, changed_ns: int) -> str:  # noqa: ARG001 - what makes it another file
    """Read once while the file stays as it is: weights have gigabytes, and every index run asks for their key."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load(spec: ModelSpec, endpoint: Endpoint | None = None) -> Embedder:
    """The model itself. Raises ConfigurationError when it is not there, or is not what it should be."""
    if spec.name == HASHING:
        from panlect.index.embed import HashingEmbedder

        return HashingEmbedder(spec.dimension or 384)
    if spec.name.startswith(ENDPOINT):
        from panlect.index.endpoint import EndpointEmbedder

        return EndpointEmbedder(spec, endpoint or Endpoint())
    from panlect.index.minilm import SentenceModel

    return SentenceModel(spec)
