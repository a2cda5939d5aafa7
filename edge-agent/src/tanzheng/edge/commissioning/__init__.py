"""What a person asks of devices before the agent runs. Not in the lean process."""
