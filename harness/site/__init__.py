"""A static site of finished evaluations: pages, data files for its scripts, and a server."""
