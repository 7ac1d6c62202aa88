"""Training: recipes decide what is seen, weighed and changed; the harness does the rest."""

from harness.training.contract import Answers, Batch, Epoch, Example, Measure, Pairs, Recipe

__all__ = ["Answers", "Batch", "Epoch", "Example", "Measure", "Pairs", "Recipe"]
