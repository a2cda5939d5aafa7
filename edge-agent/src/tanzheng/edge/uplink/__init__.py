"""What is published, in which order, and what an ack of the platform means."""
