"""A CrossGuard policy pack of the rules on resources: ``pulumi preview --policy-pack scripts/policy_pack``."""
