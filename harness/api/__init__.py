"""What the command line does, as typed functions; :mod:`harness` has them all by name."""
