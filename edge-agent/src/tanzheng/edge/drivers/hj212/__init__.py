"""HJ 212: data loggers that send to us, or that we connect to."""
