"""What a stack is going to be: every resource of its program, planned on the real engine against a pretend cloud."""
