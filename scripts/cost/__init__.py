"""What a stack costs a month: quantities from its stack file, prices from dated tables, and what nobody priced."""
