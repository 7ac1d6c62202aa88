"""The reader `table`: files become rows, a mapping of columns makes samples of rows."""
