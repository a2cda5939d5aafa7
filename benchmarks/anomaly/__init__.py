"""A labelled set of plant-months: honest physics and noise first, then faults with their labels."""
