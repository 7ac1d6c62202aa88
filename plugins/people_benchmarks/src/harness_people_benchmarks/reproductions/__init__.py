"""Published numbers beside what the same command gives here: targets, the page, the command."""
