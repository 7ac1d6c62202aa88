"""Published numbers recomputed from the files that their authors published beside them."""
