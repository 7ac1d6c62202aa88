"""The contract of kinds of study, and one study planned and run by its kind."""
