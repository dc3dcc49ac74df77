"""polymodal: one table in, a measured and saved model out."""
