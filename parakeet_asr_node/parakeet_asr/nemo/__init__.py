"""What a NeMo archive says: read safely, understood as records, turned into the runtime's contract."""
