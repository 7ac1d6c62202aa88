"""`harness new`: the files of a task or of a plugin, to begin with."""
