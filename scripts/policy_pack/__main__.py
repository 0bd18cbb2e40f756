"""What the engine starts, by way of its language host: serve the pack, and print on which port."""

from scripts.policy_pack.pack import serve

serve()
