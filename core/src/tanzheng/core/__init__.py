"""Pure domain of Tanzheng: fields, readings, batches, logs, receipts.

Nothing here waits, opens a file or a socket, reads a clock or draws a random number:
time, bytes and keys are arguments. `tests/test_tidy.py` holds it to that.
"""
