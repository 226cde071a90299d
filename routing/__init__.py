"""Answering a request: catalogue, decision, relay and the router engine."""
