"""Pure domain of Tanzheng: fields, batches, logs, receipts."""
