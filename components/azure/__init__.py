"""What several capabilities make on Azure in the same way."""
