"""What this machine is, how fast it is, and what polymodal will do with it."""
