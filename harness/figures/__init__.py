"""Figures of evaluations and trainings: what is drawn (`shapes`), and how (`draw`, matplotlib)."""
