"""What a fabric is made of: the spec, and one folder per capability with one file per platform.

Read ``fabric`` first. Importing this package loads no Pulumi: review and the schema start without it.
"""
