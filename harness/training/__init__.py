"""Training: recipes decide what is seen, weighed and changed; the harness does the rest."""

from harness.training.contract import Epoch, Example, Measure, Recipe

__all__ = ["Epoch", "Example", "Measure", "Recipe"]
