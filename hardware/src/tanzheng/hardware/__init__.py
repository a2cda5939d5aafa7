"""Device profiles as data and plant simulators."""
