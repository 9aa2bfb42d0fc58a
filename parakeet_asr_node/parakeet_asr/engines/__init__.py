"""What runs neural networks: one framework per file."""
