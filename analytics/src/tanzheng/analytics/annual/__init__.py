"""The annual report: twelve months to a year, and the packet for the ministry."""
