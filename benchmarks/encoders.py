"""What dual encoders cost the harness at full size, the encoder itself left out.

Vectors are drawn, 512 numbers each. ``classes``: an image against 1,000 classes in 80 sentences
(ImageNet has 50,000 images). ``recall``: ranks of images and five captions each, which grow with
the square of the images (Karpathy's test split has 5,000). ``skew``: MaxSkew@1000 of one text over
images of two groups. Seconds are of the processor, which other work on the machine does not change;
bytes are the peak above what was there before.

Example: python benchmarks/encoders.py --images 5000 --ranked 100000
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, CLASSES, SENTENCES, CAPTIONS = 512, 1000, 80, 5


def peak() -> int:
    """Return the peak of resident memory of this process, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def unit(rows: int, seed: int) -> Any:
    """Return drawn unit vectors, float32."""
    drawn = np.random.default_rng(seed).standard_normal((rows, WIDTH), dtype=np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def classes(images: int) -> dict[str, float]:
    """Answer images about 1,000 classes by the answerer itself; the encoder draws its vectors."""
    import torch
    from harness_open_clip.answerer import DualEncoderAnswerer
    from PIL import Image

    from harness.models import Runtime
    from harness.requests import Choose, Request, Turn
    from harness.samples.images import LoadedImage

    class Drawn:
        context, preparation, device = 77, "", torch.device("cpu")
        texts_read = 0

        def excess(self, _: str) -> int:
            return 0

        def drops(self, _: str) -> bool:
            return False

        def prepare(self, _: Any) -> dict[str, Any]:
            return {}

        def images(self, pixels: Sequence[Any]) -> Any:
            return torch.randn(len(pixels), WIDTH)

        def texts(self, texts: Sequence[str]) -> Any:
            self.texts_read += len(texts)
            return torch.randn(len(texts), WIDTH)

    drawn: Any = Drawn()
    templates = [f"sentence {number} of {{}}" for number in range(SENTENCES)]
    answerer = DualEncoderAnswerer(drawn, templates, Runtime(device="cpu"), {})
    want = Choose(tuple(f"class {number}" for number in range(CLASSES)))
    blank = Image.new("RGB", (8, 8))

    def block(first: int, count: int) -> None:
        shown = [LoadedImage(blank, str(n), str(n), 8, 8) for n in range(first, first + count)]
        answerer.answer(
            [Request(i.key, i.key, "t", (Turn("user", "?", (i,)),), want) for i in shown]
        )

    def blocks() -> None:
        for at in range(0, images, 32):
            block(1 + at, 32)

    first, _ = timed(lambda: block(0, 1))
    others, _ = timed(blocks)
    return {"texts": drawn.texts_read, "texts_s": first, "image_ms": 1e3 * others / images}


def recall(images: int) -> dict[str, float]:
    """Rank all captions for each image, and all images for each caption."""
    from harness_people_benchmarks.metrics.recall_at_k import ranks

    seen, texts = unit(images, 0), unit(images * CAPTIONS, 1)
    before = peak()
    owner = np.repeat(np.arange(images), CAPTIONS)
    seconds, _ = timed(lambda: ranks(seen, texts, owner))
    return {"images": images, "s": seconds, "bytes": peak() - before}


def skew(images: int) -> dict[str, float]:
    """MaxSkew@1000 of one text, from the samples to the value."""
    from harness.descriptors import parse_options
    from harness.metrics import ScoredSample
    from harness.plugins import plugins
    from harness.targets import load_target

    scores = np.random.default_rng(2).random(images)
    samples = [
        ScoredSample(str(at), str(at), None, None, (float(score),), fields={"concept": "a"},
                     groups={"gender": ("female", "male")[at % 2]})
        for at, score in enumerate(scores)
    ]  # fmt: skip
    descriptor = plugins().metrics()["retrieval_max_skew"]
    options = parse_options(descriptor.options, {"k": 1000}, owner="this benchmark")
    metric: Any = load_target(descriptor)(options, ())
    weights = np.ones((1, images))
    seconds, value = timed(lambda: metric.value(metric.prepare(samples), weights))
    return {"images": images, "s": seconds, "value": float(value[0])}


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return CPU seconds that work took, and what it returned."""
    begun = time.process_time()
    value = work()
    return time.process_time() - begun, value


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2000, help="images of recall")
    parser.add_argument("--asked", type=int, default=320, help="images asked about the classes")
    parser.add_argument("--ranked", type=int, default=100_000, help="images of MaxSkew@1000")
    flags = parser.parse_args()
    figures = {
        "classes": classes(flags.asked),
        "recall": recall(flags.images),
        "skew": skew(flags.ranked),
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
