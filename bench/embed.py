"""How fast code becomes vectors: the bare model loop, our embedder, and the bulk pipeline's sink behind it.

    python -m bench.embed [--chunks 3000] [--json FILE]

Chunks are cut from the standard library of the running Python, as an index cuts them. All ways embed the same
texts in the same process, interleaved, one thread; the first batch of each is not counted. Needs torch.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.report import begin, circumstances, write_result
from panlect.code.parse import analyse
from panlect.index.embed import embedding_text
from panlect.index.minilm import SentenceModel, bundled_folder
from panlect.index.models import BUNDLED, ModelSpec

REACH = {"chunks_per_s": 20, "share_of_bare_loop": 0.85}
_BATCH = 64
_SLICE = 250  # texts that each way embeds before the next has its turn


def main() -> None:
    """Measure, write the result, print the figures last."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chunks", type=int, default=3000, help="how many chunks are embedded")
    parser.add_argument("--json", type=Path, help="where the result goes")
    given = parser.parse_args()
    start = begin()
    texts = list(itertools.islice(chunk_texts(), given.chunks))
    texts.sort(key=len)  # as the pipeline hands them out
    model = SentenceModel(ModelSpec(BUNDLED))
    ways: dict[str, Callable[[Sequence[str]], object]] = {
        "bare model loop": bare_loop(),
        "ours": lambda some: [model.embed(some[at : at + _BATCH]) for at in range(0, len(some), _BATCH)],
    }
    seconds = _interleaved(ways, texts)
    speeds = {name: len(texts) / took for name, took in seconds.items()}
    share = speeds["ours"] / speeds["bare model loop"]
    result = {
        "model": model.model_id,
        "chunks": len(texts),
        "mean_characters": round(statistics.mean(map(len, texts))),
        "chunks_per_s": {name: round(speed, 1) for name, speed in speeds.items()},
        "share_of_bare_loop": round(share, 3),
        "reach": REACH,
        **circumstances(start),
    }
    write_result(given.json, result)
    print(
        f"calibration {result['calibration_ms']['before']} ms; {len(texts)} chunks of {result['mean_characters']}"
        f" characters: ours {speeds['ours']:.1f}/s, bare loop {speeds['bare model loop']:.1f}/s, share {share:.2f}"
    )


def chunk_texts() -> Iterator[str]:
    """What is embedded of the standard library, file by file."""
    root = Path(sysconfig.get_paths()["stdlib"])
    for file in sorted(root.rglob("*.py")):
        if "site-packages" in file.parts or "test" in file.parts:
            continue
        source = file.read_bytes()
        for chunk in analyse(file.name, source).chunks:
            yield embedding_text(chunk.scope, source[chunk.start_byte : chunk.end_byte].decode())


def bare_loop() -> Callable[[Sequence[str]], object]:
    """Tokenizer, model, mean over tokens, unit length: what cannot be left out."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = str(bundled_folder())
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    kind = torch.bfloat16 if "bf16" in Path("/proc/cpuinfo").read_text() else torch.float32
    bare = AutoModel.from_pretrained(folder, local_files_only=True, dtype=kind).eval()
    torch.set_num_threads(1)

    def run(texts: Sequence[str]) -> Any:
        found = []
        with torch.inference_mode():
            for at in range(0, len(texts), 32):
                batch = tokenizer(
                    list(texts[at : at + 32]),
                    padding=True,
                    truncation=True,
                    max_length=256,
                    return_tensors="pt",
                )
                hidden = bare(**batch).last_hidden_state
                mask = batch["attention_mask"].unsqueeze(-1).to(hidden.dtype)
                mean = (hidden * mask).sum(1) / mask.sum(1)
                found.append(torch.nn.functional.normalize(mean, dim=1).float().numpy())
        return found

    return run


def _interleaved(
    ways: dict[str, Callable[[Sequence[str]], object]], texts: Sequence[str]
) -> dict[str, float]:
    """Processor seconds of each way over all texts, in turns, so that a noisy minute is everybody's."""
    for work in ways.values():
        work(texts[:_BATCH])
    seconds = dict.fromkeys(ways, 0.0)
    for at in range(0, len(texts), _SLICE):
        for name, work in ways.items():
            began = time.process_time()
            work(texts[at : at + _SLICE])
            seconds[name] += time.process_time() - began
    return seconds


if __name__ == "__main__":
    main()
