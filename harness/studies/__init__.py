"""The contract of kinds of study."""
