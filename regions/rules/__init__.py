"""Rules on resources: which property of which type moves data, keys or logs to another place.

RULES                 every rule by id: A… (aws), Z… (azure-native), G… (gcp), X… (everywhere)
review_plan(plan)     what they have against the resources of a plan
"""
