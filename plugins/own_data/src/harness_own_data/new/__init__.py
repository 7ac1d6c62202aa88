"""`harness new`: a task from your own data, without writing its spec by hand."""
