"""The machinery of platform ``local``: one supervisord per stack, its processes and their ports, as dynamic resources.

The engine runs the provider classes in a process of its own, which imports these modules: keep them light.
"""
