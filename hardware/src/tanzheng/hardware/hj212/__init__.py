"""HJ 212: frames as a data logger builds them, and a simulated logger."""
