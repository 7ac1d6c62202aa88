"""One run answered by several workers: the contract of executors, the coordinator, the worker."""
