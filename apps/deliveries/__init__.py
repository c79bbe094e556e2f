"""Deliveries, their states and attempts, and the engine that sends them.

Receives rows in state `ready`, which the intake wrote beside their event. Hands on attempts and final states.
"""
