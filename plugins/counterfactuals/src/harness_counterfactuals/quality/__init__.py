"""Numbers of a whole image set: distance to real images, diversity, balance, words, consistency."""
