"""Fixtures shared by all tests: real servers, each in a file of its own."""

pytest_plugins = ["fix_broker", "fix_browser", "fix_chain", "fix_database", "fix_month"]
