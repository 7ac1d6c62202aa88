"""Studies: a matrix of models, recipes, data, seeds and tasks, trained, evaluated, tabulated."""
