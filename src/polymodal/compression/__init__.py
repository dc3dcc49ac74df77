"""Smaller and faster models, with what each costs in score measured."""
