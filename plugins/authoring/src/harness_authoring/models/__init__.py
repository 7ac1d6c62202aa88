"""The kit of models: each promise of a model that is loaded and asked."""
