"""An adapter for each contender of ``benchmarks/peers.py``."""
