"""Files that benchmarks' servers take, one module a benchmark."""
