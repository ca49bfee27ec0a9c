"""The pages: what stands in `spaces/` only starts them."""
