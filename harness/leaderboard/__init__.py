"""One table model and its renderers: a pure function of evaluation records."""
