"""Leads: opened from an alert or by hand, handed down, answered, reviewed, closed, reopened."""
