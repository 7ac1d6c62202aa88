"""Training of the tiny models from nothing; needs the `training` extra."""
