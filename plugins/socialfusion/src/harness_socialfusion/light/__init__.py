"""Parts of plain shape in PyTorch alone, so that a small model answers soon after it is called.

Importing transformers' model code, open_clip and peft takes longer than a small model takes for
its answers: they load compilers, distributed training and every architecture that they know. What
is here computes the same operations in the same order, so answers are equal to the last bit
(``tests/plugins/socialfusion/test_light.py``). It is for answers on a CPU in float32. Whatever has
another shape, option or file is left to the libraries, and so are training and analyses.
"""

MOST_BYTES = 64 * 2**20
"""Largest file of weights: opening a larger one takes longer than importing the libraries."""
