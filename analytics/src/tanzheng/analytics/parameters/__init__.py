"""Monthly parameters: a plant's books, the filed plan, the source that each figure is from."""
