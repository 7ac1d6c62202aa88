"""`harness new`: the first files of a task or of a plugin."""
