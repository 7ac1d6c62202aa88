"""Plan, ask, journal, resume, seal."""
