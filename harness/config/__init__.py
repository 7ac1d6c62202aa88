"""Configuration in layers: built-in profile < harness.toml < environment < flags."""
