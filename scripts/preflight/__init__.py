"""What stands between a stack file and its first `pulumi up`: a function of facts, collected or recorded."""
